# Records how commands go that are typed into this shell. In ~/.zshrc:
#   MILEPOST_COMMANDS="nix search git:commit git:push"    # names; NAME:SUBCOMMAND for a subcommand
#   source /path/to/milepost.zsh
#
# What it takes, stores and leaves out is said in milepost.bash, which does the same.

if [[ -o interactive && -z ${_milepost_is_here-} ]] && zmodload zsh/datetime 2>/dev/null; then

    typeset -g _milepost_is_here=1 _milepost_name= _milepost_is_pipeline=
    typeset -gF _milepost_since=0

    # Before each line, which comes last with its aliases expanded.
    _milepost_before() {
        emulate -L zsh
        setopt extended_glob
        _milepost_name=
        local -a words=(${(z)3}) list=(${=MILEPOST_COMMANDS-})
        while [[ ${words[1]-} == [A-Za-z_][A-Za-z_0-9]#=[A-Za-z_0-9.,:/@%+-]# ]]; do shift words; done
        local word=${${words[1]-}:t} subcommand=${words[2]-} name=
        [[ $word == [A-Za-z_0-9.+-]## ]] || return 0
        if [[ $subcommand == [A-Za-z_0-9.+-]## ]] && (( ${list[(Ie)$word:$subcommand]} )); then
            name="$word $subcommand"
        elif (( ${list[(Ie)$word]} )); then
            name=$word
        else
            return 0
        fi
        local token is_pipeline=
        for token in $words; do
            case $token in
                # Several commands, or one in the background: nobody can tell how it went.
                (';'|'&'|'&&'|'||'|'&|'|'&!') return 0 ;;
                ('|'|'|&') is_pipeline=1 ;;
            esac
        done
        _milepost_is_pipeline=$is_pipeline
        _milepost_name=$name
        _milepost_since=$EPOCHREALTIME
    }

    # Before each prompt, and before other hooks, whose time is not the command's.
    _milepost_prompt() {
        local -a codes=($pipestatus)
        local -F ended=$EPOCHREALTIME
        emulate -L zsh
        local name=$_milepost_name code=${codes[1]-} outcome=failed
        [[ -n $name && -n $code ]] || return 0
        _milepost_name=
        case $code in
            (0) outcome=ok ;;
            (130|131) outcome=cancelled ;;
            (141) [[ -z $_milepost_is_pipeline ]] || outcome=cancelled ;;
            (147|148|149|150) return 0 ;;
        esac
        local -a given=(record operation --operation $name --outcome $outcome --exit-code $code)
        if [[ -z $_milepost_is_pipeline ]] && (( ended >= _milepost_since )); then
            local -i duration_us=$(( (ended - _milepost_since) * 1000000 ))
            given+=(--duration ${duration_us}us)
        fi
        (command ${MILEPOST:-milepost} $given </dev/null >/dev/null 2>&1 &)
    }

    typeset -ga preexec_functions precmd_functions
    preexec_functions+=(_milepost_before)
    precmd_functions=(_milepost_prompt $precmd_functions)
fi
