# dnaspt in a container, for a CPU or for NVIDIA's GPUs. Not built here: no Docker daemon was at hand when this was written.
#
#   docker build --tag dnaspt .                            # CPU
#   docker build --tag dnaspt:cuda --build-arg TORCH=cuda . # NVIDIA GPUs; the host needs their driver and its container toolkit
#   docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$PWD:/work" dnaspt predict runs/genes --genome g.fa --out g.gff3
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
WORKDIR /build
RUN pip install --no-cache-dir build==1.6.1
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY src src
RUN python -m build --wheel --outdir dist

FROM python:${PYTHON}-slim-bookworm
# cpu or cuda: which build of PyTorch
ARG TORCH=cpu
COPY constraints.txt /tmp/constraints.txt
# PyTorch's own index has its build for CPUs, which takes a tenth of the disk. For a GPU triton compiles its launchers with gcc.
RUN set -eu; \
    case "$TORCH" in \
        cpu) pip install --no-cache-dir --no-deps --constraint /tmp/constraints.txt \
                 --index-url https://download.pytorch.org/whl/cpu torch ;; \
        cuda) apt-get update; \
              apt-get install --yes --no-install-recommends gcc libc6-dev; \
              rm -rf /var/lib/apt/lists/* ;; \
        *) echo "TORCH is $TORCH; expected cpu or cuda" >&2; exit 1 ;; \
    esac
COPY --from=build /build/dist/*.whl /tmp/wheels/
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt /tmp/wheels/*.whl \
    && rm -rf /tmp/wheels /tmp/constraints.txt \
    && dnaspt --version

# Any user may run it: caches of compiled kernels and of figures lie where everybody can write. Nothing asks the network.
ENV DNASPT_OFFLINE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    TRITON_CACHE_DIR=/tmp/triton
RUN useradd --uid 1000 --create-home dnaspt
USER dnaspt
WORKDIR /work
ENTRYPOINT ["dnaspt"]
CMD ["--help"]
