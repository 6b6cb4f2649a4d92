# SPDX-License-Identifier: GPL-3.0-or-later
# Completion for bash: the program knows its own commands, options and styles.
_penchant() {
    local line
    COMPREPLY=()
    while read -r line; do
        COMPREPLY+=("$(printf '%q' "$line")")
    done < <("${COMP_WORDS[0]}" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _penchant penchant
