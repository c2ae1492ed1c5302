#!/usr/bin/env bash
# Looks for known vulnerabilities in the code that the programs really call. Without a way to vuln.go.dev it says so and fails: nothing was
# checked then. GOVULNDB=file:///path checks against a copy of the database.
set -uo pipefail
cd "$(dirname "$0")/../.."
go tool -modfile=test/tools/go.mod govulncheck -db "${GOVULNDB:-https://vuln.go.dev}" ./agent/... ./cloud/... ./drivers/... ./firmware-protocols/...
case $? in
  0) exit 0 ;;
  3) exit 3 ;; # something was found, and said
esac
cat >&2 <<'TEXT'
vulncheck: nothing was checked (see above). If the database of vulnerabilities is out of reach:
  where there is a network:    curl -fsSLO https://vuln.go.dev/vulndb.zip
  here, with that file:        unzip -q -d vulndb vulndb.zip && GOVULNDB=file://$PWD/vulndb make vulncheck
TEXT
exit 1
