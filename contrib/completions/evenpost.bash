# bash completion of evenpost's commands and options

_evenpost() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local -A options=(
		[run]="-c --config --help"
		[status]="-c --config --socket --json --help"
		[check]="-c --config --json -q --quiet --help"
		[config]="schema dump reference -c --config --help"
		[demo]="--help"
		[version]=""
	)

	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "${!options[*]}" -- "$word")
	elif [ "$before" = -c ] || [ "$before" = --config ] || [ "$before" = --socket ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -W "${options[${COMP_WORDS[1]}]:-}" -- "$word")
	fi
}

complete -o filenames -F _evenpost evenpost
