# Everything happens in functions that the last line calls, so that half a script does nothing.

say() { echo "errand: $*"; }
fail() {
  echo "errand: $*" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

unit=errand-agent.service
data=/var/lib/errand-agent
etc=/etc/errand
lib=/usr/lib/errand

usage() {
  cat <<'END'
Installs the Errand agent from a server and makes this machine its node. errand enroll prints the line that calls this script.

  --prepare     install, and enrol when the machine starts next: for images of machines
  --uninstall   stop the agent, end its commands and remove it; its data stays
  --purge       the same, and remove its data and settings

Settings in the environment:
  ERRAND_SERVER             address of the server
  ERRAND_ACTIVATION_ID      registration code
  ERRAND_ACTIVATION_CODE
  ERRAND_TAG                labels, KEY=VALUE,KEY=VALUE
  ERRAND_NODE_ID            id that the machine shall have
  ERRAND_NAME               name that the machine shall have
  ERRAND_CA_FILE            certificates to trust besides the system's
  ERRAND_CA                 the same as the file's content in base64
  ERRAND_FORMAT             deb, rpm or tar, instead of what the machine uses
  HTTPS_PROXY, NO_PROXY     the way to the server
END
}

# plain fails for a setting that would mean more than itself in a file of settings.
plain() {
  case "$2" in
  *[!A-Za-z0-9._:/@%=,+~?\&\[\]-]*) fail "$1 has a character that it cannot have" ;;
  esac
}

fetch() { # fetch URL FILE
  if has curl; then
    curl -fsSL --retry 3 ${ca:+--cacert "$ca"} -o "$2" "$1"
  elif has wget; then
    wget -q ${ca:+--ca-certificate="$ca"} -O "$2" "$1"
  else
    fail "neither curl nor wget is here"
  fi
}

sum() {
  if has sha256sum; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif has openssl; then
    openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
  else
    fail "neither sha256sum nor openssl is here"
  fi
}

machine() {
  [ "$(uname -s)" = Linux ] || fail "there is no agent package for $(uname -s)"
  case "$(uname -m)" in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no agent package for $(uname -m)" ;;
  esac
}

# installed sets form to how the agent is installed here, and version; both are empty if it is not.
installed() {
  form='' version=''
  if has dpkg-query && version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' errand-agent 2>/dev/null) && [ "${version%% *}" = installed ]; then
    form=deb version=${version#* }
  elif has rpm && version=$(rpm -q --qf '%{VERSION}' errand-agent 2>/dev/null); then
    form=rpm
  elif [ -e "$lib/package/version" ]; then
    form=tar version=$(cat "$lib/package/version")
  else
    version=''
  fi
}

# offer sets name, wanted and digest to what the server has in the form $1 for this machine.
offer() {
  name='' wanted='' digest=''
  while read -r o_form o_arch o_version o_digest o_name; do
    if [ "$o_form" = "$1" ] && [ "$o_arch" = "$arch" ]; then
      name=$o_name wanted=$o_version digest=$o_digest
    fi
  done <<END
$packages
END
  [ -n "$name" ]
}

# choose decides what to install, and returns 1 when what is here is good.
choose() {
  installed
  if [ -n "$form" ]; then
    offer "$form" || return 1
    newest=$(printf '%s\n%s\n' "$version" "$wanted" | sort -V | tail -n 1)
    [ "$version" != "$wanted" ] && [ "$newest" = "$wanted" ]
    return
  fi
  [ -n "$packages" ] || fail "this server has no agent packages (errand server --agent-packages); install errand-agent by hand and run this again"
  forms=tar
  if has dpkg; then
    forms='deb tar'
  elif has rpm; then
    forms='rpm tar'
  fi
  for form in ${ERRAND_FORMAT:-$forms}; do
    if offer "$form"; then
      return 0
    fi
  done
  fail "this server has no agent package for linux on $arch"
}

install_agent() {
  if ! choose; then
    say "errand-agent $version is installed"
    return
  fi
  say "installing errand-agent $wanted"
  fetch "$ERRAND_SERVER/agent/download/$name" "$tmp/$name" || fail "cannot fetch $name from $ERRAND_SERVER"
  [ "$(sum "$tmp/$name")" = "$digest" ] || fail "$name is not what the server announced: its SHA-256 is wrong"
  case "$form" in
  deb) DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold -i "$tmp/$name" </dev/null ;;
  rpm) rpm -U "$tmp/$name" </dev/null ;;
  tar) unpack ;;
  esac
}

# unpack replaces each file by renaming, so that a running program keeps its own.
unpack() {
  mkdir "$tmp/root"
  tar -xzf "$tmp/$name" -C "$tmp/root"
  (cd "$tmp/root" && find . -type f) | while read -r file; do
    file=${file#.}
    if [ "$file" = "$etc/agent.env" ] && [ -e "$file" ]; then
      continue
    fi
    mkdir -p "${file%/*}"
    cp -p "$tmp/root$file" "$file.new"
    mv -f "$file.new" "$file"
  done
  ln -sf "$lib/errand-agent" /usr/bin/errand-agent
  echo "$wanted" >"$lib/package/version"
  "$lib/package/postinst" configure "$version"
}

# settings writes what this machine needs to reach the server; agent.env is the administrator's.
settings() {
  mkdir -p "$etc"
  if [ -n "$ca" ]; then
    cp "$ca" "$etc/ca.pem.new"
    chmod 0644 "$etc/ca.pem.new"
    mv -f "$etc/ca.pem.new" "$etc/ca.pem"
    ERRAND_CA_FILE=$etc/ca.pem
  fi
  write site.env ERRAND_SERVER ERRAND_CA_FILE HTTPS_PROXY NO_PROXY
}

write() { # write FILE NAME...
  file=$etc/$1
  shift
  for setting in "$@"; do
    eval "value=\${$setting:-}"
    plain "$setting" "$value"
    [ -z "$value" ] || echo "$setting=$value"
  done >"$file.new"
  mv -f "$file.new" "$file"
}

join() {
  export ERRAND_DATA="$data"
  if [ "$prepare" = yes ]; then
    write enroll.env ERRAND_ACTIVATION_ID ERRAND_ACTIVATION_CODE ERRAND_TAG ERRAND_NODE_ID ERRAND_NAME
    say "this machine enrols when it starts next"
    return
  fi
  "$lib/errand-agent" enroll </dev/null
  if [ -d /run/systemd/system ]; then
    systemctl enable "$unit" 2>/dev/null
    systemctl start "$unit"
  else
    say "there is no systemd here: start $lib/errand-agent --data $data yourself"
  fi
}

uninstall() {
  installed
  case "$form" in
  deb) dpkg "--${1:-remove}" errand-agent </dev/null ;;
  rpm) rpm -e errand-agent </dev/null ;;
  tar)
    "$lib/package/prerm" remove
    rm -f /usr/bin/errand-agent /usr/lib/systemd/system/errand-agent.service /usr/lib/systemd/system/errand.slice
    "$lib/package/postrm" remove
    rm -rf "$lib"
    ;;
  *) say "errand-agent is not installed" ;;
  esac
  if [ -n "${1:-}" ]; then
    if [ "$form" != deb ] && has dpkg; then
      dpkg --purge errand-agent </dev/null 2>/dev/null || true # it may have been removed before
    fi
    rm -rf "$data"
    rm -f "$etc/site.env" "$etc/enroll.env" "$etc/ca.pem" "$etc/agent.env"
    rmdir "$etc" 2>/dev/null || true # the server's settings may be there too
  fi
}

main() {
  prepare=no
  case "${1:-}" in
  '') ;;
  --prepare) prepare=yes ;;
  --uninstall | --purge) ;;
  -h | --help)
    usage
    return
    ;;
  *) fail "unknown argument $1; see --help" ;;
  esac
  [ "$(id -u)" = 0 ] || fail "this takes root"
  umask 077
  case "${1:-}" in
  --uninstall)
    uninstall
    return
    ;;
  --purge)
    uninstall purge
    return
    ;;
  esac
  [ -n "${ERRAND_SERVER:-}" ] || fail "ERRAND_SERVER is not set; errand enroll prints the whole line"
  ERRAND_SERVER=${ERRAND_SERVER%/}
  HTTPS_PROXY=${HTTPS_PROXY:-${https_proxy:-}}
  NO_PROXY=${NO_PROXY:-${no_proxy:-}}
  export ERRAND_SERVER HTTPS_PROXY NO_PROXY https_proxy="$HTTPS_PROXY" no_proxy="$NO_PROXY"
  machine
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  ca=${ERRAND_CA_FILE:-}
  if [ -n "${ERRAND_CA:-}" ]; then
    ca=$tmp/ca.pem
    echo "$ERRAND_CA" | base64 -d >"$ca" || fail "ERRAND_CA is not base64"
  fi
  install_agent
  settings
  export ERRAND_CA_FILE
  join
}

set -eu
main "$@"
