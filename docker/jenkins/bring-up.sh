#!/bin/sh
# From nothing to a running Jenkins on this host; called again it mends what is missing.
# usage: REPOSITORY=git@host:team/project.git bring-up.sh [--gpu] [--cpu-2]
# Everything that has to be pulled is had before anything is started.
set -eu
cd "$(dirname "$0")"
export JENKINS_BASE="${JENKINS_BASE:-jenkins/jenkins:2.540-jdk21}"
export AGENT_BASE="${AGENT_BASE:-debian:bookworm-slim}"
export REGISTRY_IMAGE="${REGISTRY_IMAGE:-registry:2.8.3}"
secrets=secrets
container_uid=1000  # of the user `jenkins` in both images
patience=${PATIENCE_S:-300}
profiles= gpu=

fail() {  # WHAT WHERE TODO EXIT
    printf 'jenkins: %s\n  where: %s\n  to do: %s\n' "$1" "$2" "$3" >&2
    exit "$4"
}

for option; do
    case $option in
    --gpu) profiles="$profiles --profile gpu" gpu=yes ;;
    --cpu-2) profiles="$profiles --profile cpu-2" ;;
    *) fail "'$option' is no option" "bring-up.sh" "give --gpu, --cpu-2, or nothing" 2 ;;
    esac
done

holds_a_login() {  # ADDRESS; ssh://git@host is none
    case $1 in *://*) authority=${1#*://} ;; *) return 1 ;; esac
    case "${1%%:*} ${authority%%/*}" in http*' '*@* | *:*@*) return 0 ;; esac
    return 1
}

repository() {  # the address that the controller can reach too
    REPOSITORY=${REPOSITORY:-$(git remote get-url origin 2>/dev/null || true)}
    case $REPOSITORY in
    '') fail "which repository is built was not said" REPOSITORY "set it, or add the remote 'origin'" 2 ;;
    file:* | /* | .*) fail "'$REPOSITORY' is on this disk, where no container looks" REPOSITORY "give an address of a git server" 2 ;;
    esac
    ! holds_a_login "$REPOSITORY" ||
        fail "the repository's address holds a password or a token" REPOSITORY "give it without; see JOB_CREDENTIALS" 2
    export REPOSITORY
}

tools() {
    command -v docker >/dev/null || fail "there is no docker" PATH "install Docker Engine with its Compose plugin" 4
    docker info >/dev/null 2>&1 ||
        fail "the Docker engine does not answer" "${DOCKER_HOST:-unix:///var/run/docker.sock}" "start it, or join its group" 4
    if docker compose version >/dev/null 2>&1; then
        compose="docker compose"
    elif command -v docker-compose >/dev/null; then
        compose="docker-compose"
    else
        fail "docker has no Compose plugin" "docker compose" "install it (docker-compose-plugin or docker-compose)" 4
    fi
    compose="$compose -p slipway-jenkins -f compose.yaml"
}

had() {  # IMAGE VARIABLE
    if docker image inspect "$1" >/dev/null 2>&1; then return; fi
    echo "pulling $1"
    said=$(docker pull -q "$1" 2>&1) ||
        fail "the image $1 cannot be had: $(printf '%s' "$said" | tail -1)" "$2" \
            "see that it can be pulled, load it, or name another: $2=name@sha256:…" 4
}

keep() {  # NAME: writes standard input to a new secret; one that is there stays
    if [ -e "$secrets/$1" ]; then cat >/dev/null; return; fi
    cat >"$secrets/.$1.new"
    mv "$secrets/.$1.new" "$secrets/$1"
}

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

make_secrets() {
    umask 077
    mkdir -p "$secrets"
    chmod 700 "$secrets"
    for name in admin release_manager developer agents registry; do random | keep "${name}_password"; done
    if [ ! -e "$secrets/ledger_key" ]; then
        command -v ssh-keygen >/dev/null ||
            fail "there is no ssh-keygen" PATH "install openssh-client, or put a key at $secrets/ledger_key" 4
        rm -f "$secrets/.key" "$secrets/.key.pub"
        ssh-keygen -q -t ed25519 -N '' -C slipway-ledger -f "$secrets/.key"
        mv "$secrets/.key.pub" "$secrets/ledger_key.pub"
        mv "$secrets/.key" "$secrets/ledger_key"
    fi
    for file in "$secrets"/*_password "$secrets/ledger_key"; do readable "$file"; done
}

readable() {  # FILE: for the containers' user, and nobody else on this host
    case $(id -u) in
    "$container_uid") chmod 600 "$1" ;;
    0) chown "$container_uid" "$1" && chmod 600 "$1" ;;
    *) chmod 644 "$1" ;;  # the folder lets nobody else in
    esac
}

healthy() {  # SERVICE
    waited=0
    while :; do
        container=$($compose ps -q "$1")
        state=$(docker inspect -f '{{.State.Health.Status}}' "$container" 2>/dev/null || echo gone)
        [ "$state" != healthy ] || return 0
        [ "$waited" -lt "$patience" ] && [ "$state" != gone ] ||
            fail "$1 is $state after $waited s" "$compose logs $1" "read it; then run this again" 4
        sleep 2
        waited=$((waited + 2))
    done
}

exec 9<.
flock -n 9 || fail "another one is at work here" "$PWD" "wait until it has ended" 4
repository
tools
had "$JENKINS_BASE" JENKINS_BASE
had "$AGENT_BASE" AGENT_BASE
had "$REGISTRY_IMAGE" REGISTRY_IMAGE
if [ -n "$gpu" ] && ! docker info -f '{{json .Runtimes}}' | grep -q nvidia; then
    fail "the engine has no NVIDIA runtime" "docker info" "install the NVIDIA container toolkit, or leave --gpu out" 4
fi
make_secrets
DOCKER_GID=$(stat -c %g /var/run/docker.sock 2>/dev/null || echo 0)
export DOCKER_GID
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "building the images (some minutes the first time)"
$compose build --force-rm >"$log" 2>&1 || { tail -20 "$log" >&2; fail "an image cannot be built" "$PWD" "read what stands above" 4; }
before=$($compose ps -q controller 2>/dev/null || true)
echo "starting"
# shellcheck disable=SC2086  # words, not one
if ! $compose $profiles up -d >"$log" 2>&1; then
    grep -iE 'error|cannot' "$log" | tail -5 >&2
    [ -n "$before" ] || $compose down >/dev/null 2>&1  # nothing is left half-started; volumes stay
    fail "the services cannot be started" "$PWD/compose.yaml" "mend what stands above (a port that is taken?)" 4
fi
healthy controller
healthy registry
$compose run --rm setup || fail "the job was not created" "$PWD/agent/create-job.sh" "read what stands above" 4
cat <<END
Jenkins: ${JENKINS_URL:-http://127.0.0.1:8080/} (admin; password in $PWD/$secrets/admin_password)
to do:   allow $PWD/$secrets/ledger_key.pub to write to $REPOSITORY
check:   slipway doctor --jenkins ${JENKINS_URL:-http://127.0.0.1:8080/}
END
