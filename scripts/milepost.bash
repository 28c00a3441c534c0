# Records how commands go that are typed into this shell. In ~/.bashrc, below whatever else changes the prompt (bash 5.1 or newer):
#   MILEPOST_COMMANDS="nix search git:commit git:push"    # names; NAME:SUBCOMMAND for a subcommand
#   source /path/to/milepost.bash
#
# MILEPOST       the program [default: milepost]
# MILEPOST_DATA  where the data are, in whatever folder the shell is [default: as `milepost` finds them there]
#
# Stored: the name as it stands in the list, duration by the wall clock, outcome and exit code; nothing else of the line. Ctrl-C is
# `cancelled`. Of a pipeline its first command counts, without a duration, as that is the pipeline's. Not recorded: what stands in a line
# with other commands (`a; b`, `a && b`, loops), in the background, or was stopped by Ctrl-Z, since nobody can tell how it went.

if [[ $- == *i* && -z ${_milepost_is_here-} ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) && shopt -q promptvars; then

    _milepost_is_here=1 _milepost_since=0 _milepost_seen=0 _milepost_name= _milepost_job=

    # What the list has for this command, into _milepost_name. Without =~, as BASH_REMATCH is the user's.
    _milepost_find() {
        local rest=$1 word subcommand list=" ${MILEPOST_COMMANDS-} "
        list=${list//[$'\t\n']/ }
        while
            word=${rest%%[[:space:]]*} rest=${rest#"${rest%%[[:space:]]*}"} rest=${rest#"${rest%%[![:space:]]*}"}
            [[ $word == [A-Za-z_]*([A-Za-z_0-9])=*([A-Za-z_0-9.,:/@%+-]) && -n $rest ]]
        do :; done
        subcommand=${rest%%[[:space:]]*} word=${word##*/} _milepost_name=
        [[ $word == +([A-Za-z_0-9.+-]) ]] || return 0
        if [[ $subcommand == +([A-Za-z_0-9.+-]) && $list == *" $word:$subcommand "* ]]; then
            _milepost_name="$word $subcommand"
        elif [[ $list == *" $word "* ]]; then
            _milepost_name=$word
        fi
    }

    # Before each simple command: the first one of a line is looked at, and the others are counted. `$_` comes last and so stays.
    _milepost_before() {
        local status=$?
        if ((_milepost_since)) && [[ $1 != _milepost_prompt* ]] && ((_milepost_seen++ == 0)); then
            _milepost_job=${!:-}
            _milepost_find "$1"
        fi
        # For a trap that was there before; under `set -e` it would end the shell.
        [[ $- == *e* ]] || return "$status"
    }

    # Before each prompt. The first time it is told which trap is there: one that is set here, or seen from a function or a file that
    # is read, is not the shell's.
    _milepost_prompt() {
        local status=$? codes=("${PIPESTATUS[@]}") ended=${EPOCHREALTIME/[^0-9]/}
        local name=$_milepost_name since=$_milepost_since seen=$_milepost_seen code outcome=failed given
        _milepost_since=0 _milepost_seen=0 _milepost_name=
        if [[ -z ${_milepost_trap-} ]]; then
            # As bash prints it: trap -- 'COMMANDS' DEBUG
            eval "_milepost_trap=(set ${1-})"
            trap "_milepost_before \"\$BASH_COMMAND\" \"\$_\"; ${_milepost_trap[3]:-: \"\$_\"}" DEBUG
        fi
        # A pipeline is as many commands as it has codes: where there were more, the line had several.
        if [[ -n $name && $seen == "${#codes[@]}" && $_milepost_job == "${!:-}" ]]; then
            code=${codes[0]}
            case $status in 147 | 148 | 149 | 150) return 0 ;; esac # stopped, and not at its end: it has no code yet
            case $code in
                0) outcome=ok ;;
                130 | 131) outcome=cancelled ;;
                141) ((seen == 1)) || outcome=cancelled ;; # who read from it had enough
            esac
            given=(record operation --operation "$name" --outcome "$outcome" --exit-code "$code")
            ((seen > 1 || ended < since)) || given+=(--duration "$((ended - since))us")
            (command "${MILEPOST:-milepost}" "${given[@]}" </dev/null >/dev/null 2>&1 &)
        fi
        return 0
    }

    PS0=${PS0-}'${_milepost_nothing[_milepost_seen=0,_milepost_since=${EPOCHREALTIME/[^0-9]/},1]-}'
    PROMPT_COMMAND=('_milepost_prompt "${_milepost_trap-$(trap -p DEBUG)}"' "${PROMPT_COMMAND[@]}")
fi
