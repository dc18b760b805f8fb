#!/bin/sh
# Creates the multibranch job, or brings it up to date; called again it changes nothing else.
# usage: create-job.sh MULTIBRANCH.XML
set -eu
url=${JENKINS_URL:-http://127.0.0.1:8080/}
job=${JENKINS_JOB:-slipway}
repository=${REPOSITORY:-}
secrets=${SECRETS:-/run/secrets}
patience=${PATIENCE_S:-300}

fail() {  # WHAT WHERE TODO EXIT
    printf 'create-job: %s\n  where: %s\n  to do: %s\n' "$1" "$2" "$3" >&2
    exit "$4"
}

holds_a_login() {  # ADDRESS; ssh://git@host is none
    case $1 in *://*) authority=${1#*://} ;; *) return 1 ;; esac
    case "${1%%:*} ${authority%%/*}" in http*' '*@* | *:*@*) return 0 ;; esac
    return 1
}

[ -n "$repository" ] || fail "which repository is built was not said" REPOSITORY "give its address" 2
! holds_a_login "$repository" ||
    fail "the repository's address holds a password or a token" REPOSITORY "give it without; see JOB_CREDENTIALS" 2
case $job${JOB_CREDENTIALS:-} in
*[!A-Za-z0-9_.-]* | .*) fail "the job's or its credential's name is none" "JENKINS_JOB, JOB_CREDENTIALS" "use letters and digits" 2 ;;
esac
[ -r "$secrets/admin_password" ] ||
    fail "the administrator's password cannot be read" "$secrets/admin_password" "run bring-up.sh again" 2
url=${url%/}
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ask() {  # FILE PATH [CURL-OPTION…]: prints the status
    into=$1 path=$2
    shift 2
    printf 'user = "admin:%s"\n' "$(sed 's/[\\"]/\\&/g' "$secrets/admin_password")" |
        curl -sS --config - --max-time 60 -c "$scratch/cookies" -b "$scratch/cookies" \
            -o "$into" -w '%{http_code}' "$@" "$url/$path" 2>"$scratch/said" || true
}

waited=0
while :; do  # while it starts: nothing, 503, and for a moment 401
    status=$(ask "$scratch/crumb" crumbIssuer/api/json)
    [ "$status" != 200 ] || break
    [ "$waited" -lt "$patience" ] ||
        fail "the controller does not let us in ($status $(tail -1 "$scratch/said"))" "$url/" "look at its log" 4
    sleep 2
    waited=$((waited + 2))
done
crumb=$(grep -Eo '"crumb": *"[0-9a-f]+"' "$scratch/crumb" | grep -Eo '[0-9a-f]{16,}') ||
    fail "the controller gives no crumb" "$url/crumbIssuer/api/json" "is this Jenkins?" 4

case $repository in http://* | https://*) credentials= ;; *) credentials=ledger ;; esac
credentials=${JOB_CREDENTIALS:-$credentials}
xml=$(printf '%s' "$repository" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')
sed -e "s|@REPOSITORY@|$(printf '%s' "$xml" | sed 's/[\\&|]/\\&/g')|" \
    -e "s|@CREDENTIALS@|$credentials|" "$1" >"$scratch/job.xml"

known=$(ask "$scratch/known" "job/$job/api/json")
case $known in
200) path="job/$job/config.xml" done_word="is up to date" ;;
404) path="createItem?name=$job" done_word="was created" ;;
*) fail "the controller does not say whether the job is there ($known)" "$url/job/$job/" "look at its log" 4 ;;
esac
status=$(ask "$scratch/answer" "$path" -X POST -H "Jenkins-Crumb: $crumb" \
    -H 'Content-Type: application/xml' --data-binary "@$scratch/job.xml")
[ "$status" = 200 ] || fail "the controller refuses the job ($status)" "$url/$path" "look at its log" 4
echo "the job $url/job/$job/ $done_word"
