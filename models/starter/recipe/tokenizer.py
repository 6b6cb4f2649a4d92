# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokenizer: byte pair encoding (Sennrich et al. 2016) in CLIP's form, learned from the captions.

CLIP's vocabulary is 256 bytes, the same 256 ending a word (</w>), one entry a merge, and the two marks
for a text's beginning and end. Any text can be written with it, so any prompt is a prompt.
"""
import json
import os
from collections import Counter

LENGTH = 16  # tokens of a prompt with both marks; longer ones are cut
START, END = "<|startoftext|>", "<|endoftext|>"


def _byte_names():
    """One printable character for each byte, GPT-2's choice, in CLIP's order."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [b for b in range(256) if b not in shown]
    return [chr(b) for b in shown] + [chr(256 + i) for i in range(len(hidden))]


def merges(texts):
    """The merges that make every word one token, the most frequent pair first."""
    words = {tuple(word[:-1]) + (word[-1] + "</w>",): n
             for word, n in Counter(w for text in texts for w in text.split()).items()}
    found = []
    while True:
        pairs = Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            return found
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(best)
        words = {_merge(word, best): n for word, n in words.items()}


def _merge(word, pair):
    out, i = [], 0
    while i < len(word):
        if word[i:i + 2] == pair:
            out.append("".join(pair))
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def tokens(tokenizer, prompts):
    """int64 [len(prompts), LENGTH] of transformers' CLIPTokenizer."""
    return tokenizer(prompts, padding="max_length", max_length=LENGTH, truncation=True,
                     return_tensors="pt").input_ids


def train(path, texts):
    """The stage: writes the folder that transformers' CLIPTokenizer reads."""
    found = merges(texts)
    names = _byte_names()
    tokens = [*names, *(name + "</w>" for name in names), *("".join(pair) for pair in found), START, END]
    os.makedirs(path + ".part", exist_ok=True)
    with open(os.path.join(path + ".part", "vocab.json"), "w", encoding="utf-8") as file:
        json.dump({token: i for i, token in enumerate(tokens)}, file, ensure_ascii=False)
    with open(os.path.join(path + ".part", "merges.txt"), "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join("%s %s\n" % pair for pair in found))
    with open(os.path.join(path + ".part", "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"model_max_length": LENGTH, "bos_token": START, "eos_token": END, "unk_token": END,
                   "pad_token": END, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True,
                   "add_prefix_space": False, "errors": "replace"}, file, indent=1)
    os.rename(path + ".part", path)
