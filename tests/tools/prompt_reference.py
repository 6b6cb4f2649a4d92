# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden numbers for prompts: A1111's rule for weights and chunks in PyTorch, written from its description
(docs/prompts.md), apart from Penchant's own. Needs torch and transformers; run once, its results are in
tests/data/golden/prompts.

    prompt_reference.py GOLDEN FOLDER
"""

import json
import pathlib
import re
import sys

import torch
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

PIECES = re.compile(r"""\\\(|\\\)|\\\[|\\]|\\\\|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|]|[^\\()\[\]:]+|:""")
BREAK = re.compile(r"\s*\bBREAK\b\s*", re.S)
BACKTRACK = 20  # a comma that near to a chunk's end is where the chunk ends

CASES = [
    ("sd1", "a (bird:1.3), drawn in [ink]", {}),
    ("sd1", "((a cat)) \\(sitting\\) on (a [red] mat:0.75)", {}),
    ("sd1", "(never closed", {}),
    ("sd1", "a bird BREAK (a cat:1.5)", {}),
    ("sd1", "a very long sentence, about birds and cats, (with many weights:1.2), drawn in ink on paper, with a "
            "neon frame, under the moon, over the sea, near the house, and more, and more, and still more", {}),
    ("sd1", "a (bird:1.3)", {"clip_skip": 2}),
    ("sd1", "a bird in (mystyle:1.2), and one more", {"embedding": 3}),
    ("sd2", "a (bird:1.3), drawn in [ink]", {}),
    ("sd2", "a bird BREAK a cat", {}),
]


def parse(text):
    result, round_brackets, square_brackets = [], [], []

    def multiply(start, factor):
        for piece in result[start:]:
            piece[1] *= factor
    for match in PIECES.finditer(text):
        piece, weight = match.group(0), match.group(1)
        if piece.startswith("\\"):
            result.append([piece[1:], 1.0])
        elif piece == "(":
            round_brackets.append(len(result))
        elif piece == "[":
            square_brackets.append(len(result))
        elif weight is not None and round_brackets:
            multiply(round_brackets.pop(), float(weight))
        elif piece == ")" and round_brackets:
            multiply(round_brackets.pop(), 1.1)
        elif piece == "]" and square_brackets:
            multiply(square_brackets.pop(), 1 / 1.1)
        else:
            for i, part in enumerate(BREAK.split(piece)):
                if i:
                    result.append([None, 1.0])
                result.append([part, 1.0])
    for start in round_brackets:
        multiply(start, 1.1)
    for start in square_brackets:
        multiply(start, 1 / 1.1)
    i = 0
    while i + 1 < len(result):
        if result[i][0] is not None and result[i + 1][0] is not None and result[i][1] == result[i + 1][1]:
            result[i][0] += result.pop(i + 1)[0]
        else:
            i += 1
    return result


def chunks(tokenizer, parts, embedding):
    """Lists of (token or row of an embedding, weight), 75 each; an embedding replaces the tokens of its name."""
    length = tokenizer.model_max_length - 2
    ids = lambda text: tokenizer(text, add_special_tokens=False).input_ids
    comma, name = ids(",")[0], ids(embedding[0]) if embedding else None
    done, chunk, last_comma = [], [], -1
    for text, weight in parts:
        if text is None:
            done.append(chunk)
            chunk, last_comma = [], -1
            continue
        tokens, at = ids(text), 0
        while at < len(tokens):
            if tokens[at] == comma:
                last_comma = len(chunk)
            elif len(chunk) == length and last_comma != -1 and len(chunk) - last_comma <= BACKTRACK:
                done.append(chunk[:last_comma + 1])
                chunk, last_comma = chunk[last_comma + 1:], -1
            if len(chunk) == length:
                done.append(chunk)
                chunk, last_comma = [], -1
            if name and tokens[at:at + len(name)] == name:
                rows = list(embedding[1])
                if len(chunk) + len(rows) > length:
                    done.append(chunk)
                    chunk, last_comma = [], -1
                chunk += [(row, weight) for row in rows]
                at += len(name)
            else:
                chunk.append((tokens[at], weight))
                at += 1
    if chunk or not done:
        done.append(chunk)
    return done


def encode(model, tokenizer, chunk, clip_skip):
    length = tokenizer.model_max_length
    tokens = [tokenizer.bos_token_id] + [token if isinstance(token, int) else 0 for token, _ in chunk]
    tokens += [tokenizer.eos_token_id]
    tokens += [tokenizer.pad_token_id] * (length - len(tokens))
    weights = torch.ones(length)
    weights[1:len(chunk) + 1] = torch.tensor([weight for _, weight in chunk])
    ids = torch.tensor([tokens])
    inner = getattr(model, "text_model", model)
    table = inner.embeddings.token_embedding
    rows = [(i + 1, token) for i, (token, _) in enumerate(chunk) if not isinstance(token, int)]

    def replace(module, inputs, output):
        for i, row in rows:
            output[0, i] = row
        return output
    hook = table.register_forward_hook(replace)
    out = model(input_ids=ids, output_hidden_states=True)
    hook.remove()
    hidden = inner.final_layer_norm(out.hidden_states[-clip_skip])
    assert clip_skip > 1 or torch.allclose(hidden, out.last_hidden_state, atol=1e-5)
    return hidden[0] * weights[:, None]


def main():
    golden, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    tensors, described = {}, []
    torch.manual_seed(1)
    for number, (shape, prompt, options) in enumerate(CASES):
        root = golden / shape / "model"
        model = CLIPTextModel.from_pretrained(root / "text_encoder").eval().float()
        tokenizer = CLIPTokenizer.from_pretrained(root / "tokenizer")
        embedding = None
        if "embedding" in options:
            embedding = ("mystyle", torch.randn(options["embedding"], model.config.hidden_size) * 0.1)
            save_file({"emb_params": embedding[1].contiguous()}, folder / "mystyle.safetensors")
        with torch.no_grad():
            encoded = [encode(model, tokenizer, chunk, options.get("clip_skip", 1))
                       for chunk in chunks(tokenizer, parse(prompt), embedding)]
        tensors["hidden.%d" % number] = torch.cat(encoded)
        described.append({"model": shape, "prompt": prompt, "clip_skip": options.get("clip_skip", 1), "chunks": len(encoded)})
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "hidden.safetensors")
    (folder / "prompts.json").write_text(json.dumps(described, indent=1) + "\n")


if __name__ == "__main__":
    main()
