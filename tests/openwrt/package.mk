# SPDX-License-Identifier: ISC
# Stands in for OpenWrt's: what a package says is printed or installed.
BuildPackage = $(eval $(call Targets,$(1)))

define Show
$(1)
$(Package/$(1))
MAKE_FLAGS:=$(MAKE_FLAGS)
conffiles:=$(Package/$(1)/conffiles)
endef

define Targets
show-$(1): export TEXT = $$(call Show,$(1))
show-$(1):
	@printf '%s\n' "$$$$TEXT"
install-$(1):
	$$(call Package/$(1)/install,$$(ROOT))
endef
