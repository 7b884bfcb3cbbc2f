# docker build -t nodewright .      or: podman build -t nodewright .
# PYTHON_BASE is what it is built in: any glibc Linux with python3 >= 3.11 and its venv. BASE is what the image stands on:
# nothing, so that there is no shell in it, or an image of the same distribution and release (--build-arg BASE=debian:bookworm-slim);
# of interpreter and libraries only those are added that BASE does not have.
ARG PYTHON_BASE=python:3.12-slim-bookworm
ARG BASE=scratch

FROM ${BASE} AS base
COPY LICENSE /usr/share/doc/nodewright/LICENSE

FROM ${PYTHON_BASE} AS build
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
COPY deploy/image deploy/image
RUN sh deploy/image/install.sh dependencies
COPY pyproject.toml README.md CHANGELOG.md LICENSE nodewright.py ./
COPY bin bin
COPY collectors collectors
COPY advisor advisor
COPY agent agent
COPY tui tui
# A number of seconds since 1970 that every file gets as its time.
ARG SOURCE_DATE_EPOCH=1790000000
RUN --mount=type=bind,from=base,target=/base \
    sh deploy/image/install.sh program && python3 deploy/image/assemble.py /opt/nodewright /base /image

FROM base
LABEL org.opencontainers.image.title="nodewright" \
      org.opencontainers.image.description="Watches the model servers of one node and says what holds them back" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
ENV PATH=/opt/nodewright/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 HOME=/var/lib/nodewright STATE_DIRECTORY=/var/lib/nodewright
# Where BASE does not fit what was built, it ends here and not on the node.
RUN ["python3", "-IBc", "import agent.daemon, agent.sidecar.main, grpc, ssl, tui.app"]
USER 65532:65532
WORKDIR /var/lib/nodewright
VOLUME /var/lib/nodewright
EXPOSE 9753
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/opt/nodewright/bin/healthy"]
ENTRYPOINT ["/opt/nodewright/bin/nodewright"]
CMD ["run"]
