# SPDX-License-Identifier: ISC
# shellcheck shell=dash disable=SC2034,SC3043
#
# procd.sh - stands in for what OpenWrt gives an init script: UCI, the network's
# state and procd.  Writes down each call: its number of words, then each word,
# all ended by NUL.  UCI comes as the variables that OpenWrt makes of it, from
# the file $UCI; NETWORK holds words of interface=device.

note()
{
	printf '%d\0' $#
	printf '%s\0' "$@"
}

config_load()
{
	# shellcheck source=/dev/null
	. "$UCI"
}

config_get()
{
	eval "$1=\${CONFIG_$2_$3:-\$4}"
}

config_get_bool()
{
	local word

	config_get word "$2" "$3" "$4"
	case "$word" in
	1 | on | true | yes | enabled) word=1 ;;
	0 | off | false | no | disabled) word=0 ;;
	*) word="$4" ;;
	esac
	eval "$1=\$word"
}

config_foreach()
{
	local section type

	for section in $CONFIG_SECTIONS; do
		config_get type "$section" TYPE
		[ "$type" != "$2" ] || "$1" "$section"
	done
}

config_list_foreach()
{
	local section="$1" option="$2" call="$3" n=1 length item
	shift 3

	config_get length "$section" "${option}_LENGTH"
	while [ "$n" -le "${length:-0}" ]; do
		config_get item "$section" "${option}_ITEM$n"
		"$call" "$item" "$@"
		n=$((n + 1))
	done
}

network_get_device()
{
	local word

	note network_get_device "$2"
	for word in $NETWORK; do
		[ "${word%%=*}" != "$2" ] || eval "$1=\${word#*=}"
	done
	eval "[ -n \"\$$1\" ]"
}

logger() { note logger "$@"; }
mkdir() { note mkdir "$@"; }
chown() { note chown "$@"; }
id() { [ "$ACCOUNTS" = yes ]; }
procd_open_instance() { note open "$@"; }
procd_close_instance() { note close "$@"; }
procd_set_param() { note "set" "$@"; }
procd_append_param() { note append "$@"; }
procd_add_jail() { note jail "$@"; }
procd_add_jail_mount() { note mount "$@"; }
procd_add_jail_mount_rw() { note mount_rw "$@"; }
procd_add_reload_trigger() { note trigger "$@"; }
procd_add_reload_interface_trigger() { note interface_trigger "$@"; }

# shellcheck source=/dev/null
. "$1"
[ -z "$PLACES" ] || eval "$PLACES"
"$2"
