# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for dunectl(1). Completes verbs, options, contexts by id and name, and after
# `launch [OPTIONS] CMD` whatever CMD's own completion offers.

# Contexts that the caller may see: ids and names.
_dunectl_contexts() {
	dunectl list --no-legend --quiet --timeout=1 2>/dev/null | awk '{ print $1; print $2 }'
}

# Words that may follow the verb $1.
_dunectl_options() {
	local global='--json --no-legend --quiet -q --socket --timeout --help -h --version'

	case $1 in
	launch) echo "$global --name --limit --scope --slice --scope-property" ;;
	stats) echo "$global --watch -w" ;;
	top) echo "$global --batch -b --iterations -n --delay -d --sort -s" ;;
	events) echo "$global --type -t --count -n" ;;
	*) echo "$global" ;;
	esac
}

# Index of the verb in COMP_WORDS, 0 when there is none yet.
_dunectl_verb_index() {
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --timeout | --name | --limit | --slice | --scope-property | --iterations | --delay | --sort | --type | --count)
			# The value follows, after a "=" of its own when there is one.
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			((i++))
			;;
		= | -*) ;;
		*)
			[[ ${COMP_WORDS[i - 1]} == = ]] && continue
			echo "$i"
			return
			;;
		esac
	done
	echo 0
}

# Index of launch's CMD, 0 when it is still to come. $1 = index of the verb.
_dunectl_program_index() {
	local i

	for ((i = $1 + 1; i <= COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			((i < COMP_CWORD)) && echo $((i + 1)) || echo 0
			return
			;;
		--socket | --timeout | --name | --limit | --slice | --scope-property | --iterations | --delay | --sort | --type | --count)
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			((i++))
			;;
		= | -*) ;;
		*)
			[[ ${COMP_WORDS[i - 1]} == = ]] && continue
			echo "$i"
			return
			;;
		esac
	done
	echo 0
}

_dunectl_value() {
	local option=$1 current=$2

	case $option in
	--json) mapfile -t COMPREPLY < <(compgen -W 'short pretty off' -- "$current") ;;
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	--limit)
		mapfile -t COMPREPLY < <(compgen -W 'vcpus= private=' -- "$current")
		compopt -o nospace
		;;
	--scope-property)
		mapfile -t COMPREPLY < <(compgen -W 'CPUQuota= CPUWeight= IOWeight= MemoryHigh=
			MemoryMax= MemorySwapMax= RuntimeMaxSec= TasksMax=' -- "$current")
		compopt -o nospace
		;;
	--type)
		mapfile -t COMPREPLY < <(compgen -W 'created attached running ended freed limit' \
			-- "$current")
		;;
	--sort)
		mapfile -t COMPREPLY < <(compgen -W 'id name owner state exits syscalls hypercalls
			ept faults denied total vcpus private tables command' -- "$current")
		;;
	--timeout | --name | --watch | --slice | --iterations | --delay | --count) COMPREPLY=() ;;
	*) return 1 ;;
	esac
}

# What may follow `quota` in COMP_WORDS[$1]: a word, a scope, a name, then what to set.
_dunectl_quota() {
	local at=$1 current=$2 words='host user group cgroup process' first=${COMP_WORDS[$1 + 1]}

	case $first in
	set | reset | show) ((at++)) ;;
	*) ((COMP_CWORD == at + 1)) && words="set reset show $words" ;;
	esac
	if ((COMP_CWORD == at + 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
		return
	fi
	if ((COMP_CWORD == at + 2)); then
		case ${COMP_WORDS[at + 1]} in
		user) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
		group) mapfile -t COMPREPLY < <(compgen -g -- "$current") ;;
		cgroup) mapfile -t COMPREPLY < <(compgen -d -P '' -- "$current") ;;
		esac
	fi
	if [[ $first == set ]]; then
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W \
			'contexts= vcpus= private= ept= create-rate=' -- "$current")
		compopt -o nospace
	fi
}

_dunectl() {
	local verbs='list launch inspect stats top totals events kill limit quota reload info doctor version help'
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local index verb program

	COMPREPLY=()
	if [[ $current == = ]]; then
		_dunectl_value "$previous" '' && return
	elif [[ $previous == = ]]; then
		_dunectl_value "${COMP_WORDS[COMP_CWORD - 2]}" "$current" && return
	elif [[ $previous != --json && $previous != --watch ]]; then
		_dunectl_value "$previous" "$current" && return
	fi

	index=$(_dunectl_verb_index)
	verb=${COMP_WORDS[index]}
	if ((index == 0)); then
		mapfile -t COMPREPLY < <(compgen -W "$verbs $(_dunectl_options '')" -- "$current")
		return
	fi
	if [[ $verb == launch ]]; then
		program=$(_dunectl_program_index "$index")
		if ((program > 0)); then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$program"
			elif ((program == COMP_CWORD)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$current")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$current")
			fi
			return
		fi
	fi
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_dunectl_options "$verb")" -- "$current")
		return
	fi
	case $verb in
	inspect | stats | events | kill)
		mapfile -t COMPREPLY < <(compgen -W "$(_dunectl_contexts)" -- "$current")
		;;
	limit)
		if ((COMP_CWORD == index + 1)); then
			mapfile -t COMPREPLY < <(compgen -W "$(_dunectl_contexts)" -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -W 'vcpus= private= ept=' -- "$current")
			compopt -o nospace
		fi
		;;
	quota) _dunectl_quota "$index" "$current" ;;
	help) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$current") ;;
	esac
}

complete -F _dunectl dunectl
