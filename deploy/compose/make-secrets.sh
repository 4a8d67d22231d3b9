#!/bin/sh
# Makes the secrets that compose.yaml mounts, each in a file, with fresh passwords. Refuses to replace any: the databases
# keep the passwords that they were started with.
# Usage: deploy/compose/make-secrets.sh [directory]
set -eu
directory=${1:-$(dirname "$0")/secrets}
if [ -e "$directory" ]; then
  echo "$directory is there already; remove it, and the volumes, to begin anew." >&2
  exit 1
fi
# Others must not reach the files, while inside a container users of any id must be able to read the ones mounted there.
mkdir -m 700 "$directory"
umask 022

# 24 bytes as hexadecimal: nothing in it needs escaping in a URL or in XML.
password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { printf %s "$1" | sha256sum | cut -c1-64; }
secret() { printf %s "$2" >"$directory/$1"; }

postgres=$(password)
secret postgres_password "$postgres"
secret database_admin_url "postgresql://postgres:$postgres@postgres:5432/holdfast"
secret database_url "postgresql://holdfast_app:$(password)@postgres:5432/holdfast"
for role in auth ops relay sealer; do
  secret "database_${role}_url" "postgresql://holdfast_$role:$(password)@postgres:5432/holdfast"
done

clickhouse=$(password)
secret clickhouse_url "http://holdfast:$clickhouse@clickhouse:8123"
secret clickhouse_users.xml "<clickhouse><users><holdfast>
  <password_sha256_hex>$(sha256 "$clickhouse")</password_sha256_hex>
  <networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
</holdfast></users></clickhouse>"

# API and workers seal the secrets of webhooks with it.
secret webhook_secrets_key "1=$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
# And the keys of tenants, under which the personal values of events are.
secret vault_key "1=$(head -c 32 /dev/urandom | base64 | tr -d '\n')"

# The worker signs the checkpoints of the audit logs with it. Keep it, and nowhere near the database's backups.
secret audit_log_key "$(openssl genpkey -algorithm ed25519)"

# The API signs write keys with it, and ingest verifies them with its public half.
write_key=$(openssl genpkey -algorithm ed25519)
secret write_key_private "$write_key"
secret write_key_public "$(printf '%s\n' "$write_key" | openssl pkey -pubout)"

operator=hfo_$(password)
secret operator_key_hash "$(sha256 "$operator")"
echo "Operator key, shown once: $operator"
