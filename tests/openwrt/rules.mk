# SPDX-License-Identifier: ISC
# What OpenWrt's file of this name gives a package, as far as it is used here.
INCLUDE_DIR = $(TOPDIR)
PKG_BUILD_DIR = $(SOURCE)
INSTALL_DIR = install -d -m 755
INSTALL_BIN = install -m 755
INSTALL_DATA = install -m 644
INSTALL_CONF = install -m 600
TARGET_CFLAGS = -Os
