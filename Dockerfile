# The image of every Asiento process; compose.yaml says which one a container runs.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/asiento
# The dependencies first, so that a change of our own code finds them in the cache.
COPY requirements.lock ./
RUN /opt/asiento/bin/pip install --require-hashes -r requirements.lock
COPY . ./
RUN /opt/asiento/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# The number is fixed, so that a volume stays readable whatever the image's next build adds.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin asiento \
    && install --directory --owner=asiento --group=asiento --mode=0700 /data
COPY --from=build /opt/asiento /opt/asiento
ENV PATH=/opt/asiento/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ASIENTO_DATA=/data \
    ASIENTO_HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# No shell in between: signals reach the process, and it ends cleanly.
ENTRYPOINT ["asiento"]
CMD ["api"]
