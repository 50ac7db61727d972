# Debian's litecoind, for compose.yaml beside this file.
FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends litecoind \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10002 --user-group --create-home --home-dir /var/lib/litecoin --shell /usr/sbin/nologin litecoin
COPY litecoind.sh /usr/local/bin/litecoind.sh
USER 10002
WORKDIR /var/lib/litecoin
ENTRYPOINT ["bash", "/usr/local/bin/litecoind.sh"]
