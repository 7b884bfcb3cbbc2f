#!/bin/sh
# install.sh dependencies|program: what the image holds, from the lock files (versions and hashes), into /opt/nodewright.
set -eu
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1

# entry LOCK NAME: its lines of a lock file; they go on as long as one ends with a backslash.
entry() { sed -n "/^$2==/,/[^\\\\]\$/p" "$1"; }

case $1 in
dependencies)
  # pip is there for sqlite-utils' own `install` command.
  sed '/^pip==/,/[^\\]$/d' requirements.lock > runtime.lock
  for name in hatchling packaging pathspec pluggy tomlkit trove-classifiers; do
    entry requirements-dev.lock "$name"
  done > build.lock
  python3 -m venv /tools
  python3 -m venv --without-pip /opt/nodewright
  /tools/bin/pip install --quiet --require-hashes --no-deps --only-binary :all: -r build.lock
  /tools/bin/pip --python /opt/nodewright/bin/python install --quiet --require-hashes --no-deps --no-compile \
    --only-binary :all: -r runtime.lock
  ;;
program)
  /tools/bin/python -m hatchling build -t wheel -d /wheel
  /tools/bin/pip --python /opt/nodewright/bin/python install --quiet --no-index --no-deps --no-compile /wheel/*.whl
  install -m 755 deploy/image/healthy.py /opt/nodewright/bin/healthy
  ;;
esac
