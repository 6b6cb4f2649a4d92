# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of other people's files share: the golden models in other forms, and a round on them."""

import json
import shutil
import sys

from program import DATA, run, tensors

sys.path.append(str(DATA.parent / "tools"))
import ldm_file  # noqa: E402

TINY = ["--steps", "3", "--width", "64", "--height", "64"]
GOLDEN = DATA / "golden"


def make(folder, *words):
    """A round of one candidate on a model of factor 8; returns the latents of its trajectory."""
    done = run(folder, "generate", "--prompt", "A bird, drawn in ink!", "--count", "1", "--seed", "3", *TINY, *words)
    return trajectory(folder, done.out.strip())["latents"][1]


def trajectory(folder, identity, place=0):
    return tensors(folder / "rounds" / str(identity) / ("%d.safetensors" % place))


def change_config(path, **values):
    config = json.loads(path.read_text())
    config.update(values)
    path.write_text(json.dumps(config))


def clip_tokenizer(folder):
    """CLIP's tokenizer as the files of a folder."""
    lines = (DATA.parent.parent / "src/formats/data/clip-merges.txt").read_text().splitlines()
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = (characters + [character + "</w>" for character in characters]
              + [line.replace(" ", "") for line in lines[1:]] + ["<|startoftext|>", "<|endoftext|>"])
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    shutil.copy(DATA.parent.parent / "src/formats/data/clip-merges.txt", folder / "merges.txt")


def as_inferred(shape, folder, heads, text_heads):
    """The golden model as a folder, with what a single file of the same weights is taken for."""
    shutil.copytree(GOLDEN / shape / "model", folder)
    change_config(folder / "unet/config.json", attention_head_dim=heads, norm_num_groups=16, sample_size=64)
    change_config(folder / "vae/config.json", norm_num_groups=16)
    change_config(folder / "text_encoder/config.json", num_attention_heads=text_heads, vocab_size=ldm_file.TOKENS)
    (weights,) = (folder / "text_encoder").glob("*.safetensors")
    content = ldm_file.read(weights)
    table = "text_model.embeddings.token_embedding.weight"
    content[table] = ldm_file.full_table(content[table])
    ldm_file.write(weights, content)
    clip_tokenizer(folder / "tokenizer")


def single_file(shape, path, folder=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    ldm_file.write(path, ldm_file.checkpoint(folder or GOLDEN / shape / "model"))
    return path
