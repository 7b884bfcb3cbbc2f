# docker build -t nodewright .
# Another base: --build-arg BASE=... (Debian-like, Python >= 3.11 as python3 with venv).
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
RUN python3 -m venv /opt/nodewright && python3 -m venv /tools \
 && /opt/nodewright/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock \
 && /tools/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements-dev.lock
COPY pyproject.toml README.md CHANGELOG.md LICENSE nodewright.py ./
COPY bin bin
COPY collectors collectors
COPY advisor advisor
COPY agent agent
COPY tui tui
RUN /tools/bin/python -m hatchling build -t wheel -d /wheel \
 && /opt/nodewright/bin/pip install --no-cache-dir --no-deps /wheel/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="nodewright" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/nodewright /opt/nodewright
RUN mkdir -m 0750 /var/lib/nodewright && chown 65532:65532 /var/lib/nodewright
ENV PATH=/opt/nodewright/bin:$PATH STATE_DIRECTORY=/var/lib/nodewright
USER 65532:65532
VOLUME /var/lib/nodewright
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python3", "-c", \
 "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9753/healthz', timeout=4)"]
ENTRYPOINT ["nodewright"]
CMD ["run"]
