#!/usr/bin/env bats
# shellcheck disable=SC2016 # the bodies of fake commands expand when they run
# The scripts that set a host up: what they decide, without an engine and without installing anything.

bats_require_minimum_version 1.5.0

setup() {
  scripts=$BATS_TEST_DIRNAME/..
  # shellcheck source=scripts/lib/log.sh
  . "$scripts/lib/log.sh"
  bin=$BATS_TEST_TMPDIR/bin
  mkdir -p "$bin"
}

# fake NAME BODY puts a command of that name first on the PATH.
fake() {
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$bin/$1"
  chmod +x "$bin/$1"
  PATH=$bin:$PATH
}

@test "base images: the names come from the Dockerfiles, without stages and scratch" {
  run --separate-stderr "$scripts/base-images.sh" --list
  [ "$status" -eq 0 ]
  [[ $output == *debian:trixie-slim* ]]
  [[ $output == *golang:1.26-trixie* ]]
  [[ $output != *scratch* && $output != *build* && $output != *tools* ]]
}

@test "base images: what the engine has is neither pulled nor made" {
  fake docker 'echo "$*" >>'"$BATS_TEST_TMPDIR/calls"'; [ "$1 $2" = "image inspect" ]'
  run "$scripts/base-images.sh" debian:trixie-slim
  [ "$status" -eq 0 ]
  [ "$(cat "$BATS_TEST_TMPDIR/calls")" = "image inspect debian:trixie-slim" ]
}

@test "base images: an unknown image that nobody gives ends with the next step" {
  fake docker 'exit 1'
  run "$scripts/base-images.sh" redis:7
  [ "$status" -eq 1 ]
  [[ $output == *"docker load"* ]]
}

@test "every script explains itself" {
  for script in "$scripts"/*.sh; do
    run "$script" --help
    [ "$status" -eq 0 ] || { echo "$script --help: status $status" && return 1; }
    [[ $output == usage:* ]] || { echo "$script --help: ${lines[0]}" && return 1; }
  done
}

@test "compose 1.29 does not count as docker compose" {
  # shellcheck source=scripts/lib/compose.sh
  . "$scripts/lib/compose.sh"
  fake docker 'exit 1'
  run ! compose_serves
  fake docker 'echo 1.29.2'
  run ! compose_serves
  fake docker 'echo v2.26.1-4'
  compose_serves
  fake docker 'echo 5.6.0'
  compose_serves
}

@test "go: an old one without a way to a new one is refused, a new one is taken" {
  root=$BATS_TEST_TMPDIR
  # shellcheck source=scripts/lib/go.sh
  . "$scripts/lib/go.sh"
  fake go 'echo go1.19.8'
  go_candidates() { printf '%s\n' "$bin/go"; }
  run ! use_go
  fake go 'case "$GOTOOLCHAIN $1" in "local env") echo go1.24.4 ;; *" version") exit 1 ;; esac'
  run ! use_go
  fake go 'case "$GOTOOLCHAIN $1" in "local env") echo go1.24.4 ;; esac'
  use_go
  [ "$GOTOOLCHAIN" = "$go_toolchain" ]
  unset GOTOOLCHAIN
  fake go 'echo go1.26.8'
  use_go
  [ -z "${GOTOOLCHAIN:-}" ]
}

@test "step: shows the output of what failed and keeps its status" {
  noisy() { echo "the reason"; return 3; }
  run step "trying" noisy
  [ "$status" -eq 3 ]
  [[ $output == *"the reason"* ]]
}

@test "step: without a folder for temporary files it says so, and runs nothing" {
  TMPDIR=$BATS_TEST_TMPDIR/nowhere run step trying touch "$BATS_TEST_TMPDIR/ran"
  [ "$status" -eq 1 ]
  [[ $output == *"set TMPDIR to a folder"* && $output != *unbound* ]]
  [ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "step: a script that is interrupted leaves no file behind" {
  mkdir "$BATS_TEST_TMPDIR/a folder"
  printf '. %q\nstep waiting /bin/sleep 5\n' "$scripts/lib/log.sh" >"$BATS_TEST_TMPDIR/script"
  TMPDIR="$BATS_TEST_TMPDIR/a folder" bash "$BATS_TEST_TMPDIR/script" 2>"$BATS_TEST_TMPDIR/words" 3>&- &
  until child=$(pgrep -P "$!" -f '^/bin/sleep 5'); do /bin/sleep 0.05; done
  kill -KILL $!
  kill -KILL "$child"
  wait $! || true
  [ -z "$(ls "$BATS_TEST_TMPDIR/a folder")" ]
}

@test "step: GESTOR_VERBOSE shows the output as it comes, and the end of it again when it fails" {
  noisy() { echo "the reason"; return 3; }
  GESTOR_VERBOSE=1 run step "trying" noisy
  [ "$status" -eq 3 ]
  [ "$(grep -c "the reason" <<<"$output")" -eq 2 ]
}

@test "up: Ctrl-C says what is left, and not that a service failed" {
  use_up
  { sed '/^case ${1:-} in/,$d' "$scripts/up.sh" && printf 'trap "interrupted && exit 130" INT\nstep starting sh -c "kill -INT 0; sleep 1" || explain_failure\n'; } >"$root/scripts/up.sh"
  run setsid --wait env --default-signal=INT bash "$root/scripts/up.sh" # an ignored one cannot be trapped
  [ "$status" -eq 130 ]
  [[ $output == *"interrupted: "*"'make down'"* && $output != *healthy* ]]
}

@test "step: the heartbeat ends with the script, however that ends" {
  fake sleep 'exec /bin/sleep 0.05'
  printf '. %q\nstep waiting /bin/sleep 2\n' "$scripts/lib/log.sh" >"$BATS_TEST_TMPDIR/script"
  bash "$BATS_TEST_TMPDIR/script" 2>"$BATS_TEST_TMPDIR/words" 3>&- &
  until grep -q 'waiting (' "$BATS_TEST_TMPDIR/words"; do /bin/sleep 0.05; done
  kill -KILL $!
  wait $! || true
  /bin/sleep 0.3
  before=$(wc -l <"$BATS_TEST_TMPDIR/words")
  /bin/sleep 0.5
  [ "$(wc -l <"$BATS_TEST_TMPDIR/words")" -eq "$before" ]
}

@test "doctor: a docker command without an engine is not an engine" {
  fake docker '[ "$1" = version ] && sed "s/{{[^}]*}}//g" <<<"$3"' # what it prints without a daemon
  run "$scripts/ensure.sh" doctor
  [ "$status" -eq 1 ]
  grep -qE '^docker +missing: ' <<<"$output"
  fake docker '[ "$1" = version ] && sed "s/{{[^}]*}}/1.2/g" <<<"$3"; exit 1'
  run "$scripts/ensure.sh" doctor
  grep -qE '^docker +missing: ' <<<"$output"
  fake docker '[ "$1" = version ] && sed "s/{{[^}]*}}/1.2/g" <<<"$3"'
  run "$scripts/ensure.sh" doctor
  grep -qxE 'docker +engine 1.2, API 1.2' <<<"$output"
}

@test "podman: one that is older than 4.3 is refused, and crun on cgroup v1 is named" {
  fake dpkg-query 'printf installed'
  while IFS='|' read -r words want; do
    fake podman "echo '$words'"
    run "$scripts/ensure.sh" podman
    [ "$status" -eq "$want" ] || { echo "$words: $status, $output" && return 1; }
  done <<'VERSIONS'
podman version 3.4.4|1
podman version 4.0.0-rc1|1
podman version 4.3.1|0
podman version 4.10.0|0
podman version 5.0.0-dev|0
nonsense|1
VERSIONS

  fake podman 'echo podman version 4.3.1'
  fake crun ''
  fake docker 'exit 1'
  touch "$BATS_TEST_TMPDIR/cgroup.controllers"
  cgroup_root=$BATS_TEST_TMPDIR run "$scripts/ensure.sh" doctor
  grep -qxE 'podman +4.3.1' <<<"$output"
  cgroup_root=/nonexistent run "$scripts/ensure.sh" doctor
  grep -qE '^podman +4.3.1, but crun .*runtime = "runc"' <<<"$output"
}

# docker_means CONTEXT puts a docker command first on the PATH that knows three contexts, uses the one given and DOCKER_HOST like
# docker does, and reaches an engine at the addresses in $answering alone. It notes what else is done with it.
docker_means() {
  export context=$1
  fake docker 'case "${DOCKER_HOST:+host} $context" in
    host*) name=default address=$DOCKER_HOST ;;
    *" default") name=default address=unix:///var/run/docker.sock ;;
    *" other") name=other address=unix:///run/user/1000/docker.sock ;;
    *" far") name=far address=tcp://10.9.9.9:2376 ;;
    *) echo "context \"$context\": context not found" >&2 && exit 1 ;;
  esac
  case "$1 ${2-}" in
    "context inspect") echo "$name $address" ;;
    version*) [[ " ${answering-} " == *" $address "* ]] && echo 28.0 1.50 ;;
    *) echo "$*" >>"'"$BATS_TEST_TMPDIR"'/done" && exit 1 ;;
  esac'
}

# use_engine takes what looks for an engine into the test, with the start of one replaced by a note.
use_engine() {
  # shellcheck source=scripts/lib/engine.sh
  . "$scripts/lib/engine.sh"
  fake dockerd ''
  start_engine() { echo start >>"$BATS_TEST_TMPDIR/done"; }
  install_engine() { echo install >>"$BATS_TEST_TMPDIR/done"; }
  unset DOCKER_HOST
}

# A row: the context, DOCKER_HOST, what the refusal says.
other_engines='default|tcp://127.0.0.1:9|tcp://127.0.0.1:9 (DOCKER_HOST)
far||tcp://10.9.9.9:2376 (context far)
default|ssh://me@there|ssh://me@there (DOCKER_HOST)
far|unix:///tmp/x.sock|unix:///tmp/x.sock (DOCKER_HOST)
other||unix:///run/user/1000/docker.sock (context other)
gone||context "gone"'

@test "engine: one that somebody chose and that does not answer is named with who says so, and no other is started" {
  use_engine
  while IFS='|' read -r context host words; do
    docker_means "$context"
    run env DOCKER_HOST="$host" answering="unix:///var/run/docker.sock" "$scripts/ensure.sh" docker
    [ "$status" -eq 1 ] && [[ $output == *"$words"* ]] || { echo "$context $host: $output" && return 1; }
    DOCKER_HOST=$host answering='' run ensure_engine
    [ "$status" -eq 1 ] && [[ $output == *"$words"* ]] || { echo "$context $host: $output" && return 1; }
    [ ! -e "$BATS_TEST_TMPDIR/done" ]
  done <<<"$other_engines"
}

@test "engine: down and doctor name the engine that does not answer, and the way back to this host's own that works" {
  use_engine
  while IFS='|' read -r context host words; do
    docker_means "$context"
    for DOCKER_CONTEXT in '' "$context"; do
      export DOCKER_CONTEXT
      way="run 'docker context use default'"
      [ -z "$DOCKER_CONTEXT" ] || way='unset DOCKER_CONTEXT'
      [ -z "$host" ] || way='unset DOCKER_HOST'
      for script in down.sh 'ensure.sh doctor' 'ensure.sh docker'; do
        # shellcheck disable=SC2086 # a script and its argument
        run env DOCKER_HOST="$host" answering="unix:///var/run/docker.sock" "$scripts/"$script
        [ "$status" -eq 1 ] && [[ $output == *"$words"* && $output == *"$way"* ]] || { echo "$script $context $host: $output" && return 1; }
      done
    done
  done <<<"$other_engines"
}

@test "engine: one that is not on this host is refused although it answers" {
  use_engine
  docker_means far
  export answering='tcp://10.9.9.9:2376'
  run ensure_engine
  [ "$status" -eq 1 ]
  [[ $output == *'context far) is not a socket on this host'* && $output == *'docker context use default'* ]]
}

@test "engine: the host's own is started, also when DOCKER_HOST names it" {
  use_engine
  docker_means default
  for host in '' unix:///var/run/docker.sock; do
    rm -f "$BATS_TEST_TMPDIR/done"
    DOCKER_HOST=$host run ensure_engine
    [ "$status" -eq 1 ]
    [ "$(cat "$BATS_TEST_TMPDIR/done")" = start ]
    [[ $output == *unix:///var/run/docker.sock* ]]
  done
}

# use_up takes the functions of up.sh into the test, over a clone of its own.
use_up() {
  use_engine
  use_dotenv
  mkdir -p "$root/scripts"
  ln -sfn "$(realpath "$scripts/lib")" "$root/scripts/lib"
  sed '/^case ${1:-} in/,$d' "$scripts/up.sh" >"$root/scripts/up.sh"
  # shellcheck source=scripts/up.sh
  . "$root/scripts/up.sh"
}

@test "up: the services get the socket of the engine that they are started on" {
  use_up
  find_engine() { engine_address=$address engine_source='context other'; }
  address=unix:///var/run/docker.sock save_socket
  [ ! -e "$root/.env" ]
  address='unix:///run/a user/docker.sock' save_socket
  [ "$(setting GESTOR_DOCKER_SOCKET none)" = '/run/a user/docker.sock' ]

  address='unix:///run/a user/docker.sock' run save_socket
  [ "$status" -eq 0 ] && [ -z "$output" ]
  address=unix:///var/run/docker.sock run save_socket
  [ "$status" -eq 0 ]
  [[ $output == *'at unix:///var/run/docker.sock (context other)'*'/run/a user/docker.sock (GESTOR_DOCKER_SOCKET)'* ]]
  [ "$(grep -c . "$root/.env")" -eq 1 ]
}

# A row: the modes of the folder and of policy.yaml, GESTOR_ENGINE_USER ("own" is the owner's number, "group" the owner's group),
# what may not be read, nothing when all may.
policy_modes='755|644|65532:7|
700|600|65532:7|policy
755|600|65532:7|policy/policy.yaml
711|644|65532:7|policy
700|600|own:7|
055|044|own:7|policy
750|640|65532:group|
707|604|65532:group|policy
600|600|not a number|'

@test "policy: one that the manager may not read is named with the command that fixes it" {
  use_up
  mkdir "$root/policy"
  touch "$root/policy/policy.yaml"
  while IFS='|' read -r folder file user want; do
    chmod "$file" "$root/policy/policy.yaml"
    chmod "$folder" "$root/policy"
    user=${user/own/$(id -u)} user=${user/group/$(id -g)}
    problem=$(GESTOR_ENGINE_USER=$user policy_problem)
    case $want in
      '') [ -z "$problem" ] ;;
      *) [[ $problem == "$root/$want is not readable"*"(user $user)"*"chmod -R go+rX $(printf %q "$root")/policy" ]] ;;
    esac || { echo "$folder $file $user: $problem" && return 1; }
    [ -z "$want" ] || (eval "${problem##*: }" && [ -z "$(GESTOR_ENGINE_USER=65532:7 policy_problem)" ]) || [ "$folder" = 055 ]
  done <<<"$policy_modes"

  # In the host form it is the other file.
  chmod 755 "$root/policy"
  (umask 077 && touch "$root/policy/host.yaml")
  chmod 644 "$root/policy/policy.yaml"
  [ -z "$(env_of COMPOSE_FILE=compose.yaml env_of GESTOR_ENGINE_USER=65532:7 policy_problem)" ]
  [[ $(env_of COMPOSE_FILE=compose.yaml:compose.host.yaml env_of GESTOR_ENGINE_USER=65532:7 policy_problem) == "$root/policy/host.yaml is not readable"* ]]

  rm -r "$root/policy"
  [ -z "$(policy_problem)" ]
}

@test "notices: a webhook that cannot be told is named with the next step" {
  use_up
  # shellcheck source=scripts/lib/notices.sh
  . "$scripts/lib/notices.sh"
  with=COMPOSE_FILE=compose.yaml:compose.notify.yaml
  [ -z "$(notices_problem)" ]
  [[ $(GESTOR_NOTIFY_URL=https://hook.test/s3cret notices_problem) == 'the URL cannot be reached: '*"$with"*.env* ]]
  [[ $(GESTOR_NOTIFY_URL=https://hook.test/s3cret notices_problem) != *s3cret* ]]
  [[ $(GESTOR_NOTIFY_URL_FILE=/x notices_problem) == 'the URL cannot be reached: '* ]]
  [[ $(env_of "$with" notices_problem) == "$root/secrets/notify_url holds no address: "* ]]

  mkdir -m 0700 "$root/secrets"
  echo https://hook.test/s3cret >"$root/secrets/notify_url"
  chmod 0600 "$root/secrets/notify_url"
  problem=$(env_of "$with" env_of GESTOR_ENGINE_USER=65532:7 notices_problem)
  [[ $problem == *'not readable for the manager (user 65532:7): chmod 0444 '* ]]
  eval "${problem##*: }"
  [ -z "$(env_of "$with" env_of GESTOR_ENGINE_USER=65532:7 notices_problem)" ]
}

# env_of NAME=VALUE COMMAND… runs a function with a setting.
env_of() {
  local -x "$1"
  "${@:2}"
}

@test "images: a script gets its mode in the image, since the one in a clone depends on the umask" {
  copied=0
  for dockerfile in "$scripts"/../{services,stress-images/*}/Dockerfile; do
    grep -q '^COPY [^-].*\.sh ' "$dockerfile" || continue
    copied=$((copied + 1))
    grep -A 2 '^COPY [^-].*\.sh ' "$dockerfile" | grep -q '^RUN chmod 0755 .*\.sh$' || { echo "$dockerfile" && return 1; }
  done
  [ "$copied" -eq 3 ]
}

@test "clean: beside a suite or what a suite started nothing is removed" {
  clone=$BATS_TEST_TMPDIR/clone
  mkdir -p "$clone/scripts" "$clone/bin"
  ln -s "$(realpath "$scripts/lib")" "$clone/scripts/lib"
  cp "$scripts/clean.sh" "$clone/scripts/"
  export calls=$BATS_TEST_TMPDIR/calls services managed
  fake docker 'case "$*" in
    version) ;;
    ps*gestor.role*) printf "%s" "$services" ;;
    ps*gestor.managed*) printf "%s" "$managed" ;;
    *) echo "$*" >>"$calls" ;;
  esac'
  services='  mine-manager-1: Up 2 minutes, project mine, started from /srv/gestor
' managed='' run "$clone/scripts/clean.sh" --base
  [ "$status" -eq 1 ]
  [[ $output == *'mine-manager-1: Up 2 minutes'*'/srv/gestor'*'make down'* ]]
  services='' managed=$'1\n2\n' run "$clone/scripts/clean.sh"
  [ "$status" -eq 1 ]
  [[ $output == *'2 managed containers'*'down.sh --sweep'* ]]
  [ ! -e "$calls" ] && [ -d "$clone/bin" ]

  services='' managed='' run "$clone/scripts/clean.sh"
  [ "$status" -eq 0 ]
  grep -qx 'image rm gestor/high-cpu' "$calls"
  [ ! -d "$clone/bin" ]
}

# use_dotenv takes the reader and writer of .env into the test, with a folder of its own whose name has a space.
use_dotenv() {
  docker compose version >/dev/null 2>&1 || skip "docker compose, which reads .env, is not on this host"
  root="$BATS_TEST_TMPDIR/a folder"
  mkdir -p "$root"
  # shellcheck source=scripts/lib/dotenv.sh
  . "$scripts/lib/dotenv.sh"
}

@test "dotenv: a setting is written once, and never over the user's" {
  use_dotenv
  echo 'GESTOR_USER=1:2' >"$root/.env"
  save_setting GESTOR_USER 3:4
  save_setting GESTOR_ENGINE_USER 5:6
  save_setting GESTOR_ENGINE_USER 7:8
  GESTOR_PORT=9 save_setting GESTOR_PORT 10
  [ "$(cat "$root/.env")" = "$(printf 'GESTOR_USER=1:2\nGESTOR_ENGINE_USER=5:6')" ]
  [ "$(setting GESTOR_USER 0)" = 1:2 ]
  [ "$(GESTOR_USER=9:9 setting GESTOR_USER 0)" = 9:9 ]
  [ "$(setting GESTOR_PORT 8080)" = 8080 ]
  [ "$(setting COMPOSE_PROJECT_NAME gestor)" = gestor ]
}

@test "dotenv: a value with a quote is read again, and a file that cannot be written ends with the line to put there" {
  use_dotenv
  save_setting GESTOR_DOCKER_SOCKET "/run/it's a \$place/docker.sock"
  [ "$(setting GESTOR_DOCKER_SOCKET none)" = "/run/it's a \$place/docker.sock" ]

  rm "$root/.env"
  ln -s /nonexistent/file "$root/.env"
  run save_setting GESTOR_USER 3:4
  [ "$status" -eq 1 ]
  [[ $output == *"$root/.env cannot be written"*"GESTOR_USER=3:4" ]]
}

# A row: GESTOR_PORT, GESTOR_OPS_PORT, what is said of them, nothing when they can be had. "used" is a port on which somebody listens.
ports='abc|8081|GESTOR_PORT is abc
18080|0|GESTOR_OPS_PORT is 0
65536|18081|GESTOR_PORT is 65536
8080-8090|18081|GESTOR_PORT is 8080-8090
18080|18080|both 18080
used|18081|set GESTOR_PORT to another
18080|used|set GESTOR_OPS_PORT to another
18080|18081|'

@test "up: ports that cannot be had are named before anything is built, and the suite's own can" {
  use_up
  listens() { [ "$1" = 18088 ]; }
  docker() { if [ "$1" = ps ]; then printf '%s' "${owner-}"; else command docker "$@"; fi; }

  while IFS='|' read -r port ops words; do
    export GESTOR_PORT=${port/used/18088} GESTOR_OPS_PORT=${ops/used/18088}
    said=$(port_problem mine)
    [[ $said == *"$words"* ]] && [ "${said:+x}" = "${words:+x}" ] || { echo "$port $ops: $said" && return 1; }
  done <<<"$ports"
  [ -z "$(owner=id1 GESTOR_PORT=18088 port_problem mine)" ]
}

# A row: what .env holds, as printf writes it, | the value of A.
dotenv_lines='A=1|1
A=1\n|1
A=1\r\nB=2\r\n|1
A=1\nA=2\n|2
export A=1\n|1
 A = 1 \n|1
A: 1\n|1
A="x y" # why\n|x y
A=x # why\n|x
A=x#y\n|x#y
# A=1\n|0
A=\n|0
A=""\n|0
A='"'"'$B'"'"'\n|$B
B=7\nA=a$B\n|a7
B=7\nA="${B}:${C:-8}"\n|7:8
A=p$$q\n|p$q
A="q\\"r"\n|q"r
A=http://x/?y=z&w\n|http://x/?y=z&w
A={a: [b, "c"]}\n|{a: [b, "c"]}
AA=1\nGESTOR_A=2\n|0'

@test "dotenv: a setting is what the services get of it, however it is written" {
  use_dotenv
  printf 'services: {s: {image: x, environment: {A: "${A:-0}"}}}\n' >"$root/compose.yaml"
  while IFS='|' read -r lines want; do
    # shellcheck disable=SC2059
    printf "$lines" >"$root/.env"
    got=$(setting A 0)
    given=$(cd "$root" && docker compose config --format json | jq -r .services.s.environment.A)
    [ "$got" = "$want" ] && [ "${given//\$\$/$}" = "$want" ] || { echo "$lines: $got, the services $given, not $want" && return 1; }
  done <<<"$dotenv_lines"
}

@test "dotenv: what is written is a line of its own and is read again, and what was there stays as it was" {
  use_dotenv
  while IFS='|' read -r lines want; do
    # shellcheck disable=SC2059
    printf "$lines" >"$root/.env"
    cp "$root/.env" "$root/before"
    save_setting GESTOR_USER 3:4
    [ "$(setting GESTOR_USER 0)" = 3:4 ]
    [ "$(setting A 0)" = "$want" ] || { echo "$lines: $(setting A 0), not $want" && return 1; }
    cmp -n "$(stat -c %s "$root/before")" "$root/before" "$root/.env"
    [ "$(grep -c . "$root/.env")" -eq $(($(grep -c . "$root/before") + 1)) ]
  done <<<"$dotenv_lines"
}

@test "dotenv: a setting is changed or taken out however it is written, and nothing else is" {
  use_dotenv
  while IFS='|' read -r lines _; do
    for value in /new:value ''; do
      # shellcheck disable=SC2059
      printf "$lines" >"$root/.env"
      chmod 0640 "$root/.env"
      b=$(setting B none) other=$(setting GESTOR_A none)
      change_setting A "$value"
      [ "$(setting A none)" = "${value:-none}" ] || { echo "$lines: $(setting A none)" && return 1; }
      [ "$(setting B none)" = "$b" ] && [ "$(setting GESTOR_A none)" = "$other" ]
      [ "$(stat -c %a "$root/.env")" = 640 ]
    done
  done <<<"$dotenv_lines"
  [ "$(ls -A "$root")" = .env ]

  printf 'A="1\n2"\n' >"$root/.env"
  A=1 run change_setting A 2
  [ "$status" -eq 1 ]
  [[ $output == *'unset A'* ]]
  rm "$root/.env"
  change_setting A 7
  [ "$(setting A none)" = 7 ]
}

@test "dotenv: a file that compose refuses ends the script, with compose's words and the file's name" {
  use_dotenv
  printf 'A="1\n' >"$root/.env"
  for function in setting save_setting; do
    run --separate-stderr "$function" B 1
    [ "$status" -eq 1 ] && [ -z "$output" ]
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == *unterminated*"$root/.env"* ]]
  done
  [ "$(cat "$root/.env")" = 'A="1' ]
}

@test "compose: services that are unhealthy are begun anew, and nothing else is touched" {
  . "$scripts/lib/compose.sh"
  docker() {
    case $1 in
      ps) [[ "$*" == *project=mine* && "$*" == *health=unhealthy* ]] && printf '%s' "$found" ;;
      *) printf '%s\n' "$*" >>"$BATS_TEST_TMPDIR/called" ;;
    esac
  }
  found='' remove_unhealthy mine
  [ ! -e "$BATS_TEST_TMPDIR/called" ]
  found=$'logs\nmanager\n' remove_unhealthy mine
  [ "$(cat "$BATS_TEST_TMPDIR/called")" = 'compose rm --stop --force logs manager' ]
}

@test "prepare-data: refuses what is not an owner and a folder" {
  for entry in --token --token= --token=token --token=/nowhere/at/all root:root=/data 1:1 1:1=data '1:1=/nowhere/at/all' "1:1=/x';id;'"; do
    run "$scripts/prepare-data.sh" "$entry"
    [ "$status" -eq 2 ] || { echo "accepted $entry" && return 1; }
  done
}

@test "prepare-data: gives a folder and leaves the state of others alone" {
  [ "$(id -u)" -eq 0 ] || skip "changing owners needs root"
  data=$BATS_TEST_TMPDIR/data
  mkdir -p "$data/records" "$data/.state/manager"
  touch "$data/records/a b" "$data/.state/manager/journal"
  ln -s /etc/hostname "$data/link"
  "$scripts/prepare-data.sh" "1234:1235=$data" "7:8=$data/.state/manager"
  [ "$(stat -c %u:%g "$data" "$data/records/a b" "$data/link" | sort -u)" = 1234:1235 ]
  [ "$(stat -c %u:%g "$data/.state/manager/journal")" = 7:8 ]
  [ "$(stat -c %u "$data/.state" /etc/hostname | sort -u)" = 0 ]
}

# three_tokens makes the folders that the three copies of the token lie in, and sets data, copies and prepare.
three_tokens() {
  data=$BATS_TEST_TMPDIR/data
  mkdir -p "$data/.state/manager" "$data/.state/generator"
  copies=("$data/.token" "$data/.state/manager/token" "$data/.state/generator/token")
  prepare=("$scripts/prepare-data.sh" "${copies[@]/#/--token=}" "$(id -u):$(id -g)=$data")
}

@test "prepare-data: one token, for its readers alone, and the same one the next time" {
  three_tokens
  run "${prepare[@]}"
  [ "$status" -eq 0 ] && [ -z "$output" ]
  cmp "${copies[0]}" "${copies[1]}" && cmp "${copies[0]}" "${copies[2]}"
  [ "$(stat -c %a "${copies[@]}" | sort -u)" = 400 ]
  [ "$(wc -c <"${copies[0]}")" -ge 40 ]
  before=$(cat "${copies[0]}")
  "${prepare[@]}"
  [ "$(cat "${copies[0]}")" = "$before" ]
}

@test "prepare-data: a token that is missing, empty, another or half made is made anew for all" {
  three_tokens
  "${prepare[@]}"
  for harm in 'rm -f "$copy"' ': >"$copy"' 'echo other >"$copy"' 'rm "$copy" && ln -s /etc/hostname "$copy.new"'; do
    for copy in "${copies[@]}"; do
      before=$(cat "${copies[0]}" "${copies[1]}" "${copies[2]}" | sort -u)
      chmod 0600 "$copy"
      eval "$harm"
      "${prepare[@]}"
      cmp "${copies[0]}" "${copies[1]}" && cmp "${copies[0]}" "${copies[2]}"
      [ "$(stat -c %a "${copies[@]}" | sort -u)" = 400 ]
      [ "$(cat "${copies[0]}")" != "$before" ]
      [ -z "$(find "$data" -name '*.new')" ]
    done
  done
}

@test "prepare-data: each copy belongs to who reads it" {
  [ "$(id -u)" -eq 0 ] || skip "changing owners needs root"
  three_tokens
  "$scripts/prepare-data.sh" "${copies[@]/#/--token=}" "1234:1235=$data" "7:8=$data/.state/manager" "9:8=$data/.state/generator"
  [ "$(stat -c %u "${copies[@]}" | tr '\n' ' ')" = '1234 7 9 ' ]
}

@test "prepare-data: the rights that compose.yaml gives are enough, in an empty folder and in one of an earlier release" {
  if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then skip "needs root and setpriv"; fi
  rights=$(sed -n 's/^ *cap_add: \[\(.*\)\]$/\1/p' "$scripts/../compose.yaml" | tr 'A-Z' 'a-z' | sed 's/ *, */,+/g')
  [ -n "$rights" ]
  three_tokens
  limited=(setpriv --bounding-set "-all,+$rights" "$scripts/prepare-data.sh" "${copies[@]/#/--token=}" "1234:1235=$data" "7:8=$data/.state/manager" "9:8=$data/.state/generator")
  "${limited[@]}"
  first=$(cat "${copies[1]}")

  rm -f "${copies[@]}" # as before there were tokens: the folders belong to the services
  mkdir -m 0700 "$data/.state/manager/journal"
  chmod 0755 "$data" "$data/.state/manager"
  "${limited[@]}"
  [ "$(stat -c %u:%a "${copies[@]}" | tr '\n' ' ')" = '1234:400 7:400 9:400 ' ]
  [ "$(cat "${copies[1]}")" != "$first" ]
  [ "$(stat -c %u "$data/.state/manager/journal")" = 7 ]
}
