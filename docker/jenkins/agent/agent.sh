#!/bin/sh
# Connects as the agent AGENT_NAME: asks the controller for its secret and its program, then runs it.
# The program connects again by itself when the controller is restarted.
set -eu
url=${JENKINS_URL:-http://127.0.0.1:8080/}
name=${AGENT_NAME:-}
user=${AGENTS_USER:-agents}
secrets=${SECRETS:-/run/secrets}
work=${AGENT_WORK:-/home/jenkins/agent}
patience=${PATIENCE_S:-300}

fail() {  # WHAT WHERE TODO EXIT
    printf 'agent: %s\n  where: %s\n  to do: %s\n' "$1" "$2" "$3" >&2
    exit "$4"
}

case $name in
'') fail "which agent this is was not said" AGENT_NAME "name a node of jenkins.yaml" 2 ;;
*[!A-Za-z0-9_.-]*) fail "'$name' is no name of a node" AGENT_NAME "name a node of jenkins.yaml" 2 ;;
esac
[ -r "$secrets/agents_password" ] ||
    fail "the password of '$user' cannot be read" "$secrets/agents_password" "run bring-up.sh again" 2
url=${url%/}

fetch() {  # PATH FILE: prints the status; the password goes through a pipe, not the command line
    printf 'user = "%s:%s"\n' "$user" "$(sed 's/[\\"]/\\&/g' "$secrets/agents_password")" |
        curl -sS --config - --max-time 60 -o "$2" -w '%{http_code}' "$url/$1" || true
}

get() {  # PATH FILE: waits while the controller starts, which says 503, 401, or nothing
    waited=0
    while :; do
        status=$(fetch "$1" "$2" 2>"$scratch/said")
        case $status in
        200) return ;;
        404) fail "the controller knows no agent '$name' ($status)" "$url/$1" "add it to jenkins.yaml" 4 ;;
        esac
        [ "$waited" -lt "$patience" ] || break
        sleep 2
        waited=$((waited + 2))
    done
    case $status in
    401 | 403) fail "the controller refuses '$user' ($status)" "$url/$1" "look at agents_password and its permissions" 4 ;;
    *) fail "the controller does not answer ($status $(tail -1 "$scratch/said"))" "$url/$1" "look at its log" 4 ;;
    esac
}

umask 077
rm -rf "${TMPDIR:-/tmp}"/slipway-agent.*  # of an earlier start
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-agent.XXXXXX")
get "computer/$name/jenkins-agent.jnlp" "$scratch/jnlp"
tr -d '\n' <"$scratch/jnlp" | grep -Eo '<argument>[0-9a-f]{64}</argument>' | head -1 |
    grep -Eo '[0-9a-f]{64}' >"$scratch/secret" ||
    fail "the controller's answer holds no secret" "$url/computer/$name/jenkins-agent.jnlp" \
        "is '$name' an inbound agent?" 4
get jnlpJars/agent.jar "$scratch/agent.jar"
rm "$scratch/jnlp"
# As a file: a command line can be read by every process here.
exec java -jar "$scratch/agent.jar" -url "$url/" -name "$name" -secret "@$scratch/secret" -workDir "$work"
