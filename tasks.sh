#!/usr/bin/env bash
# The tasks of a developer: ./tasks.sh fast | test | lint | types | generate | lock | gate. Windows: run it in Git Bash.
set -euo pipefail
cd "$(dirname "$0")"
for folder in .venv/bin .venv/Scripts; do [ -d "$folder" ] && PATH="$PWD/$folder:$PATH"; done
case "${1:-fast}" in
    fast) python -m pytest -m "not process and not model" "${@:2}" ;;
    test) python -m pytest "${@:2}" ;;
    lint) ruff check . && ruff format --check . ;;
    types) mypy --strict phicli ;;
    generate) python .ci/generate.py "${@:2}" ;;
    lock) python .ci/lock.py ;;
    gate) .ci/run "${@:2}" ;;
    *) sed -n 2p "$0" >&2 && exit 2 ;;
esac
