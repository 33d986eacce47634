"""Settings of a command of dnaspt, from the workflow's configuration, to the TOML file that its --config reads."""

from pathlib import Path

import tomli_w

from dnaspt.atomic import write_text_atomically

if __name__ == "__main__":
    from snakemake.script import snakemake

    write_text_atomically(Path(snakemake.output[0]), tomli_w.dumps(dict(snakemake.params.settings)))
