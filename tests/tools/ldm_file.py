#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a single-file checkpoint with the original names (LDM, CLIP, OpenCLIP) of a small model in the diffusers
layout, and reads and writes .safetensors files for tests.

    ldm_file.py MODEL-FOLDER OUT.safetensors
"""

import array
import json
import pathlib
import random
import re
import struct
import sys

TOKENS = 49408  # CLIP's vocabulary, which such a file must have
SIZES = {"F32": 4, "F16": 2, "I64": 8}


def read(path):
    """name -> (type, shape, bytes)."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    start = 8 + length
    return {name: (entry["dtype"], entry["shape"], data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]])
            for name, entry in header.items()}


def write(path, tensors, metadata=None):
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def write_kohya(path, layers, seed, metadata=None):
    """An adapter of random numbers in kohya's naming: layers is [(name, in, out, rank, alpha)]."""
    generator, content = random.Random(seed), {}
    for name, n_in, n_out, rank, alpha in layers:
        for part, shape in [("lora_down", [rank, n_in]), ("lora_up", [n_out, rank])]:
            values = array.array("f", (generator.gauss(0, 0.4) for _ in range(shape[0] * shape[1])))
            content["%s.%s.weight" % (name, part)] = ("F32", shape, values.tobytes())
        content[name + ".alpha"] = ("F32", [], struct.pack("<f", alpha))
    write(path, content, metadata)


def weights(folder, component):
    (file,) = (folder / component).glob("*.safetensors")
    return read(file), json.loads((folder / component / "config.json").read_text())


def substitute(name, rules):
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


RESNET = [(r"\.norm1\.", ".in_layers.0."), (r"\.conv1\.", ".in_layers.2."), (r"\.time_emb_proj\.", ".emb_layers.1."),
          (r"\.norm2\.", ".out_layers.0."), (r"\.conv2\.", ".out_layers.3."), (r"\.conv_shortcut\.", ".skip_connection.")]
ENDS = [(r"^time_embedding\.linear_1\.", "time_embed.0."), (r"^time_embedding\.linear_2\.", "time_embed.2."),
        (r"^conv_in\.", "input_blocks.0.0."), (r"^conv_norm_out\.", "out.0."), (r"^conv_out\.", "out.2."),
        (r"^add_embedding\.linear_1\.", "label_emb.0.0."), (r"^add_embedding\.linear_2\.", "label_emb.0.2.")]


def unet_name(name, layers, attention):
    """`attention[i]`: whether level i of the way up has transformers."""
    match = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    if match:
        way, kind, rest = match[1], match[3], match[5]
        level, j = int(match[2]), int(match[4])
        if way == "down":
            place = "input_blocks.%d" % (1 + level * (layers + 1) + (layers if kind == "downsamplers" else j))
            if kind == "downsamplers":
                return "%s.0.op.%s" % (place, rest[len("conv."):])
        else:
            place = "output_blocks.%d" % (level * (layers + 1) + (layers if kind == "upsamplers" else j))
            if kind == "upsamplers":
                return "%s.%d.%s" % (place, 2 if attention[level] else 1, rest)
        if kind == "attentions":
            return "%s.1.%s" % (place, rest)
        return place + ".0" + substitute("." + rest, RESNET)
    match = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name)
    if match:
        if match[1] == "attentions":
            return "middle_block.1." + match[3]
        return "middle_block.%d" % (2 * int(match[2])) + substitute("." + match[3], RESNET)
    return substitute(name, ENDS)


def vae_name(name, levels):
    rules = [(r"\.up_blocks\.(\d+)\.", lambda m: ".up.%d." % (levels - 1 - int(m[1]))), (r"\.down_blocks\.", ".down."),
             (r"\.(up|down)\.(\d+)\.resnets\.", r".\1.\2.block."), (r"\.upsamplers\.0\.", ".upsample."),
             (r"\.downsamplers\.0\.", ".downsample."), (r"conv_shortcut", "nin_shortcut"),
             (r"conv_norm_out", "norm_out"), (r"mid_block\.resnets\.0", "mid.block_1"),
             (r"mid_block\.resnets\.1", "mid.block_2"), (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
             (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
             (r"mid_block\.attentions\.0\.proj_attn", "mid.attn_1.proj_out"),
             (r"mid_block\.attentions\.0\.(to_)?(q|k|v)(uery|ey|alue)?\.", r"mid.attn_1.\2.")]
    return substitute(name, rules)


def vae(folder, prefix="first_stage_model."):
    tensors, config = weights(folder, "vae")
    result = {}
    for name, (kind, shape, data) in tensors.items():
        name = vae_name(name, len(config["block_out_channels"]))
        if ".attn_1." in name and ".norm." not in name and name.endswith(".weight"):
            shape = [*shape, 1, 1]  # LDM's attention has convolutions
        result[prefix + name] = (kind, shape, data)
    return result


def unet(folder):
    tensors, config = weights(folder, "unet")
    attention = [kind.startswith("CrossAttn") for kind in config["up_block_types"]]
    return {"model.diffusion_model." + unet_name(name, config["layers_per_block"], attention): tensor
            for name, tensor in tensors.items()}


def full_table(tensor):
    """A token table of CLIP's size, zero where the small model has no token."""
    kind, (rows, columns), data = tensor
    return kind, [TOKENS, columns], data + bytes((TOKENS - rows) * columns * SIZES[kind])


def text_weights(folder, component):
    """Under the names that transformers had before its version 5."""
    tensors, config = weights(folder, component)
    return {name if name.startswith("text_") else "text_model." + name: tensor for name, tensor in tensors.items()}, config


def clip(folder, prefix="cond_stage_model.transformer.", component="text_encoder"):
    tensors, _ = text_weights(folder, component)
    table = "text_model.embeddings.token_embedding.weight"
    tensors[table] = full_table(tensors[table])
    tensors["text_model.embeddings.position_ids"] = ("I64", [1, 77], struct.pack("<77q", *range(77)))
    return {prefix + name: tensor for name, tensor in tensors.items()}


def transposed(tensor):
    kind, (rows, columns), data = tensor
    values = [data[i:i + SIZES[kind]] for i in range(0, len(data), SIZES[kind])]
    return kind, [columns, rows], b"".join(values[r * columns + c] for c in range(columns) for r in range(rows))


def open_clip(folder, component="text_encoder", prefix="cond_stage_model.model."):
    tensors, config = text_weights(folder, component)
    projection = tensors.get("text_projection.weight")
    layers, result = config["num_hidden_layers"], {}
    block = [(r"^layer_norm", "ln_"), (r"^self_attn\.out_proj", "attn.out_proj"), (r"^mlp\.fc1", "mlp.c_fc"),
             (r"^mlp\.fc2", "mlp.c_proj")]
    for i in range(layers if projection else layers + 1):  # the last one is not used without a projection
        place = "text_model.encoder.layers.%d." % (i if i < layers else 0)
        to = "transformer.resblocks.%d." % i
        for part in ["weight", "bias"]:
            parts = [tensors[place + "self_attn.%s_proj.%s" % (letter, part)] for letter in "qkv"]
            result[to + "attn.in_proj_" + part] = (parts[0][0], [3 * parts[0][1][0], *parts[0][1][1:]],
                                                   b"".join(data for _, _, data in parts))
        for name, tensor in tensors.items():
            if name.startswith(place) and not re.search(r"\.[qkv]_proj\.", name):
                result[to + substitute(name[len(place):], block)] = tensor
    result["token_embedding.weight"] = full_table(tensors["text_model.embeddings.token_embedding.weight"])
    result["positional_embedding"] = tensors["text_model.embeddings.position_embedding.weight"]
    for part in ["weight", "bias"]:
        result["ln_final." + part] = tensors["text_model.final_layer_norm." + part]
    result["text_projection"] = transposed(projection or tensors["text_model.encoder.layers.0.self_attn.q_proj.weight"])
    result["logit_scale"] = ("F32", [], struct.pack("<f", 4.6))
    return {prefix + name: tensor for name, tensor in result.items()}


def checkpoint(folder):
    folder = pathlib.Path(folder)
    _, config = weights(folder, "unet")
    if config["addition_embed_type"]:
        text = {**clip(folder, "conditioner.embedders.0.transformer."),
                **open_clip(folder, "text_encoder_2", "conditioner.embedders.1.model.")}
    else:
        text = open_clip(folder) if config["use_linear_projection"] else clip(folder)
    # What training leaves in such files.
    rest = {"betas": ("F32", [2], bytes(8)), "model_ema.decay": ("F32", [], bytes(4))}
    return {**unet(folder), **vae(folder), **text, **rest}


if __name__ == "__main__":
    write(sys.argv[2], checkpoint(sys.argv[1]), {"format": "pt"})
