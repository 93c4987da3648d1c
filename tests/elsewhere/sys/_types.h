/* SPDX-License-Identifier: ISC */
/*
 * _types.h - compilers look for it on FreeBSD; what is there they have here.
 */
