#!/usr/bin/env bash
# What the tests need beside Node: `npm run setup` makes sure of it. On Debian and Ubuntu it installs
# what is missing, elsewhere it says what that is. It starts no service: the tests start their own.
# What is only wanted is no reason to fail: without it the tests do the same in another way.
# With a name, as in `tests/setup.sh chromium`, it only prints where that is: so the tests find it.
set -euo pipefail

# Debian's package = the programs of which one will do, the best first, with colons between them.
needed=(
  "chromium=${CHROMIUM:-chromium:chromium-browser:google-chrome:google-chrome-stable}"
  "redis-server=redis-server"
  "rabbitmq-server=/usr/lib/rabbitmq/bin/rabbitmq-server"
  "nginx=nginx:/usr/sbin/nginx"
)
wanted=("strace=strace")

fail() {
  echo "setup: $*" >&2
  exit 1
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

answers() {
  case $1 in
    *rabbitmq-server) [[ -x $1 ]] ;; # with any option it would start
    *nginx) "$1" -v &>/dev/null ;;
    *) "$1" --version </dev/null &>/dev/null ;;
  esac
}

# Prints the path of the first that answers: Ubuntu has a chromium-browser that only tells of a snap.
find_program() {
  local programs program
  IFS=: read -ra programs <<<"$1"
  for program in "${programs[@]}"; do
    if answers "$program"; then
      command -v "$program"
      return
    fi
  done
  return 1
}

take_stock() {
  local need want path
  found=() missing=() absent=()
  for need in "${needed[@]}"; do
    if path=$(find_program "${need#*=}"); then found+=("$path"); else missing+=("${need%%=*}"); fi
  done
  for want in "${wanted[@]}"; do
    if path=$(find_program "${want#*=}"); then found+=("$path"); else absent+=("${want%%=*}"); fi
  done
}

can_install() {
  command -v apt-get >/dev/null && as_root true 2>/dev/null
}

finish() {
  echo "setup: the tests have what they need: ${found[*]}"
  if ((${#absent[@]} > 0)); then echo "setup: they do without ${absent[*]}"; fi
  exit
}

# Gives an administrator's policy back; without one, ours goes.
restore_policy() {
  as_root rm -f "$policy"
  if [[ -e $policy.kept ]]; then as_root mv "$policy.kept" "$policy"; fi
}

if (($# > 0)); then
  for need in "${needed[@]}"; do
    if [[ ${need%%=*} == "$1" ]]; then find_program "${need#*=}" && exit; fi
  done
  exit 1
fi

take_stock
if ((${#missing[@]} == 0)); then
  if ((${#absent[@]} == 0)) || ! can_install; then finish; fi
else
  if [[ -n ${CHROMIUM:-} ]]; then
    find_program "$CHROMIUM" >/dev/null || fail "CHROMIUM is $CHROMIUM, which does not answer --version"
  fi
  lacking="the tests need ${missing[*]}, beside Node"
  hint='For chromium, Google Chrome will do as well; if it is not on the PATH, set CHROMIUM to its path.'
  command -v apt-get >/dev/null || fail "$lacking, and there is no apt-get here to install it. $hint"
  can_install || fail "$lacking. It takes root or sudo to: apt-get install ${missing[*]}"
fi

# dpkg asks this program whether a package may start its service; 101 is no.
policy=/usr/sbin/policy-rc.d
if [[ -e $policy && ! -e $policy.kept ]]; then as_root mv "$policy" "$policy.kept"; fi
trap restore_policy EXIT
as_root install -m 755 /dev/stdin "$policy" <<<$'#!/bin/sh\nexit 101'

# What fails here is told by apt-get at length, and shown in a line by the check after it.
as_root apt-get -qq update || true
for package in "${missing[@]}" "${absent[@]}"; do
  echo "setup: apt-get installs $package"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
    -o DPkg::Lock::Timeout=300 install --no-install-recommends "$package" || true
done

take_stock
((${#missing[@]} == 0)) || fail "apt-get was asked, and still there is no ${missing[*]}. $hint"
finish
