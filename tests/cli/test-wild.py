# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, folders and machines as they are in the wild: what other tools write, what downloads leave, what is not there."""

import json
import pathlib
import shutil
import struct
import time

from models import GOLDEN, TINY, change_config, ldm_file, make, single_file, trajectory
from program import ONE_PASS, PROGRAM, run
from tap import main

NO_LOCKS = pathlib.Path(PROGRAM).parents[2] / "tests/cli/libno-locks.so"


def test_kinds_of_files(folder):
    """What is no model is called what it is, in one sentence."""
    for content, said in [(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
                          (b"<!DOCTYPE html><html><title>Log in</title>", "web page"),
                          (b"\x80\x02}q\x00", "pickle"), (b"PK\x03\x04" + bytes(20) + b"archive/data.pkl", "pickle"),
                          ("Zugriff verweigert: Sie dürfen es nicht".encode("latin-1"), "text"),
                          (b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\n", "Git LFS"), (b"BZh91AY", "archive"),
                          (b"GGUF\x03" + bytes(20), "GGUF"), (b"RIFF\0\0\1\0WEBPVP8 ", "picture")]:
        path = folder / "x.safetensors"
        path.write_bytes(content)
        for words in [["--model", path], ["--lora", path], ["--vae", path]]:
            error = run(folder, "generate", "--prompt", "x", *words, status=2).err
            assert said in error and error.count("\n") == 1, error


def test_device_by_name(folder):
    """A number that is a part of a device's name is one, and a nonsensical budget is none."""
    devices = run(folder, "devices", "--json").of_type("device")
    (number,) = [word for word in devices[0]["name"].split() if word.isdigit()] or ["llvmpipe"]
    chosen = [device for device in run(folder, "devices", "--json", "--device", number).of_type("device")
              if device["chosen"]]
    assert len(chosen) == 1 and number in chosen[0]["name"], chosen
    error = run(folder, "generate", "--prompt", "x", *TINY, env={"PENCHANT_MEMORY_BUDGET": "4 GB"}, status=1).err
    assert "PENCHANT_MEMORY_BUDGET" in error and "4 GB" in error, error


def test_no_locks(folder):
    """A data folder on a file system without locks is told at once."""
    start = time.monotonic()
    error = run(folder, "styles", env={"LD_PRELOAD": str(NO_LOCKS)}, status=1).err
    assert "without locks" in error, error
    assert time.monotonic() - start < 8, "waited"


def test_long_path(folder):
    deep = folder
    while len(str(deep)) < 520:
        deep /= "x" * 60
    error = run(deep, "styles", status=1).err
    assert "too long" in error and "permission" not in error, error


# ------------------------------------------------------------------ folders


def copy_model(folder, name="model", shape="sd1"):
    return pathlib.Path(shutil.copytree(GOLDEN / shape / "model", folder / name))


def text_weights(model):
    (file,) = (model / "text_encoder").glob("*.safetensors")
    return file


def test_folders_of_other_programs(folder):
    """What diffusers and transformers take, and correct, is taken and corrected."""
    drawn = []

    def same(change, name, draw=False):
        change(copy_model(folder / "models", name))
        if draw:
            drawn.append(name)

    def scheduler(**values):
        return lambda model: change_config(model / "scheduler/scheduler_config.json", **values)

    def index(name):
        return lambda model: (model / "model_index.json").write_text(json.dumps({"_class_name": name}))

    def both_names(model):
        content = ldm_file.read(text_weights(model))
        content.update({name.removeprefix("text_model."): tensor for name, tensor in list(content.items())})
        content["text_model.embeddings.position_ids"] = content["embeddings.position_ids"] = (
            "I64", [1, 77], struct.pack("<77q", *range(77)))
        ldm_file.write(text_weights(model), content)

    def one_file_tokenizer(pairs, config):
        def change(model):
            tokenizer = model / "tokenizer"
            merges = (tokenizer / "merges.txt").read_text().splitlines()[1:]
            (tokenizer / "tokenizer.json").write_text(json.dumps({
                "padding": {"pad_token": "<|endoftext|>"},
                "model": {"type": "BPE", "vocab": json.loads((tokenizer / "vocab.json").read_text()),
                          "merges": [line.split() if pairs else line for line in merges if line]}}))
            for name in ["vocab.json", "merges.txt", *([] if config else ["tokenizer_config.json"])]:
                (tokenizer / name).unlink()
        return change

    same(scheduler(clip_sample=True), "clip-sample")
    same(scheduler(steps_offset=0), "steps-offset", draw=True)
    for name in ["StableDiffusionControlNetPipeline", "StableDiffusionPipelineSafe", "LatentConsistencyModelPipeline",
                 "StableDiffusionImg2ImgPipeline", "MyOwnPipeline"]:
        same(index(name), name)
    same(both_names, "both-names", draw=True)
    same(one_file_tokenizer(True, True), "tokenizer-pairs", draw=True)
    same(one_file_tokenizer(False, False), "tokenizer-strings")
    for line in run(folder, "models", "--json").of_type("model"):
        assert "error" not in line, line
    expected = make(folder, "--model", GOLDEN / "sd1/model")
    for name in drawn:
        assert make(folder, "--model", name) == expected, name
    flux = folder / "flux"
    (flux / "transformer").mkdir(parents=True)
    index("FluxPipeline")(flux)
    assert "FluxPipeline" in run(folder, "generate", "--prompt", "x", "--model", flux, status=2).err


def test_sample_size(folder):
    """Before diffusers 0.9 the size of models for 512 pixels was written as 32; a small one is meant elsewhere."""
    sizes = {}
    for name, values in [("old", dict(sample_size=32, _diffusers_version="0.6.0")),
                         ("new", dict(sample_size=32, _diffusers_version="0.31.0"))]:
        model = copy_model(folder / "models", name)
        change_config(model / "unet/config.json", **values)
    for line in run(folder, "models", "--json").of_type("model"):
        sizes[line["name"]] = line["size"]
    assert sizes["old"] == 512 and sizes["new"] == 256 and sizes["starter"] < 128, sizes


def test_where_models_are(folder):
    """The Hugging Face cache's upper folder, folders one deeper, and a folder that only has a model's name."""
    cache = folder / "hub/models--painter--ink"
    copy_model(cache / "snapshots", "0123")
    (cache / "snapshots/4567").mkdir()
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("0123\n")
    copy_model(folder / "models/other", "deeper")
    shutil.copytree(cache, folder / "models/models--painter--ink")
    found = {line["name"]: line["hash"] for line in run(folder, "models", "--json").of_type("model")}
    assert found["other/deeper"] == found["models--painter--ink"], found
    # An unpacked archive has its model one folder deeper, too.
    expected = make(folder, "--model", GOLDEN / "sd1/model")
    for model in [cache, "other/deeper", folder / "models/other"]:
        assert make(folder, "--model", model) == expected, model
    here = folder / "here"
    (here / "starter").mkdir(parents=True)
    run(folder, "generate", "--prompt", "x", "--count", "1", "--steps", "1", "--model", "starter", cwd=here)


def test_vae_beside_other_parts(folder):
    """A VAE's file beside another component's configuration; and one of another family of models."""
    model = GOLDEN / "sd1/model"
    run(folder, "generate", "--prompt", "x", "--count", "1", "--seed", "1", *TINY, "--model", model)
    png = lambda identity: (folder / "rounds" / identity / "0.png").read_bytes()
    beside = folder / "beside"
    beside.mkdir()
    shutil.copy(model / "unet/config.json", beside)
    shutil.copy(next((model / "vae").glob("*.safetensors")), beside / "vae.safetensors")
    change_config(beside / "config.json", norm_num_groups=16)
    run(folder, "generate", "--prompt", "x", "--count", "1", *TINY, "--model", model, "--vae", beside / "vae.safetensors")
    other = shutil.copytree(model / "vae", folder / "vae")
    change_config(other / "config.json", scaling_factor=0.13025)
    words = ["generate", "--prompt", "x", "--count", "1", *TINY, "--model", model, "--quiet", "--vae"]
    assert "another family" in run(folder, *words, other).err
    shutil.copy(beside / "vae.safetensors", folder / "sdxl_vae.safetensors")
    assert "another family" in run(folder, *words, folder / "sdxl_vae.safetensors").err
    assert run(folder, *words, model / "vae").err == ""


# ------------------------------------------------------------------ single files


def second_with_clip_names(path, **more):
    """sd2 as a single file, its text encoder under the names of transformers."""
    model = GOLDEN / "sd2/model"
    content = {name: tensor for name, tensor in ldm_file.checkpoint(model).items() if "cond_stage_model" not in name}
    content.update(ldm_file.clip(model))
    path.parent.mkdir(parents=True, exist_ok=True)
    ldm_file.write(path, {**content, **more})
    return path


def test_second_generation_with_clip_names(folder):
    """Activation, padding and prediction are 2.x's, whatever the text encoder's weights are called."""
    expected = make(folder, "--model", single_file("sd2", folder / "painter.safetensors"))
    assert make(folder, "--model", second_with_clip_names(folder / "renamed.safetensors")) == expected


def test_prediction(folder):
    """What a file predicts: what lies beside it says it, else what was assumed is said, also with --quiet."""
    path = single_file("sd2", folder / "models/painter.safetensors")
    hashes = lambda: {line["name"]: line["hash"] for line in run(folder, "models", "--json").of_type("model")}
    as_v = hashes()["painter"]
    words = ["generate", "--prompt", "x", "--count", "1", *TINY, "--quiet", "--model", path]
    said = run(folder, *words).err
    assert "assumed" in said and "--prediction" in said, said
    assert run(folder, *words, "--prediction", "v").err == ""
    yaml = path.with_suffix(".yaml")
    yaml.write_text("model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n")
    assert run(folder, *words).err == "" and hashes()["painter"] != as_v
    yaml.write_text('model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params:\n    '
                    'parameterization: "v"\n')
    assert run(folder, *words).err == "" and hashes()["painter"] == as_v
    # A mark that was lost stays in the name, which is no proof, but worth a word.
    lost = single_file("sd1", folder / "ink-vPred.safetensors")
    assert "--prediction v" in run(folder, *words[:-1], lost).err
    assert run(folder, *words[:-1], lost, "--prediction", "epsilon").err == ""
    # A 1.x file that was trained to predict v.
    first = single_file("sd1", folder / "models/first.safetensors")
    plain = hashes()["first"]
    first.with_suffix(".yaml").write_text("      parameterization: 'v'  # as trained\n")
    assert hashes()["first"] != plain


def test_ztsnr_without_v(folder):
    """A schedule that ends in pure noise goes with v alone: the mark means it, and anything else says what helps."""
    path = folder / "painter.safetensors"
    content = ldm_file.checkpoint(GOLDEN / "sd1/model")
    ldm_file.write(path, {**content, "ztsnr": ("F32", [], bytes(4))})
    error = run(folder, "generate", "--prompt", "x", *TINY, "--model", path, "--prediction", "epsilon", status=2).err
    assert "--prediction v" in error, error
    assert make(folder, "--model", path) == make(folder, "--model", path, "--prediction", "v")


def test_second_encoder_with_clip_names(folder):
    """SDXL's second text encoder under transformers' names, at either place, whole and with either projection."""
    model = GOLDEN / "sdxl/model"
    content = ldm_file.checkpoint(model)
    expected = make(folder, "--model", single_file("sdxl", folder / "painter.safetensors"))
    own = {name: tensor for name, tensor in content.items() if not name.startswith("conditioner.embedders.1.")}
    for place in ["transformer.", "model."]:
        renamed = ldm_file.clip(model, "conditioner.embedders.1." + place, "text_encoder_2")
        projection = renamed.pop("conditioner.embedders.1.%stext_projection.weight" % place)
        for name, tensor in [("text_projection.weight", projection), ("text_projection", ldm_file.transposed(projection))]:
            ldm_file.write(folder / "renamed.safetensors",
                           {**own, **renamed, "conditioner.embedders.1." + place + name: tensor})
            assert make(folder, "--model", folder / "renamed.safetensors") == expected, (place, name)
    ldm_file.write(folder / "half.safetensors", own)
    error = run(folder, "generate", "--prompt", "x", "--model", folder / "half.safetensors", status=2).err
    assert "second text encoder" in error, error


def test_downloads_that_did_not_finish(folder):
    """Zeros in place of all or of the end of a file; shards and weights that are not there."""
    def said(model, *words):
        error = run(folder, "generate", "--prompt", "x", "--model", model, status=2).err
        assert error.count("\n") == 1 and all(word in error for word in words), error

    path = folder / "painter.safetensors"
    path.write_bytes(bytes(5000))
    said(path, "zeros")
    content = single_file("sd1", path).read_bytes()
    path.write_bytes(content[:-100000] + bytes(100000))
    said(path, "zeros", "again")
    model = copy_model(folder, "folder")
    (weights,) = (model / "unet").glob("*.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100000] + bytes(100000))
    said(model, "zeros", "again")
    weights.unlink()
    said(model, "no weights")
    (model / "unet/diffusion_pytorch_model.bin").write_bytes(whole)
    said(model, "diffusion_pytorch_model.bin", ".safetensors")
    for name in ["diffusion_pytorch_model", "unusual"]:
        index = model / "unet" / (name + ".safetensors.index.json")
        index.write_text(json.dumps({"weight_map": {"conv_in.weight": "a.safetensors", "conv_in.bias": "b.safetensors"}}))
        said(model, "2 of 2", "a.safetensors")
        index.unlink()


def test_models_that_are_not_there(folder):
    """Addresses, other people's repositories, lists without files, folders of many models: each says what to choose."""
    def said(model, *words, status=2):
        error = run(folder, "generate", "--prompt", "x", "--model", model, status=status).err
        assert error.count("\n") == 1 and all(word in error for word in words), error

    said("https://models.example/painter/ink", "downloads nothing")
    said("painter/ink", "There is no model", "starter")
    model = copy_model(folder, "folder")
    said(model / "unet/config.json", "choose the folder")
    assert make(folder, "--model", model / "model_index.json") == make(folder, "--model", model)
    shelf = folder / "shelf"
    shelf.mkdir()
    said(shelf, "no weights")
    (shelf / "painter.ckpt").write_bytes(b"PK")
    said(shelf, "painter.ckpt")
    single_file("sd1", shelf / "one.safetensors")
    shutil.copy(shelf / "one.safetensors", shelf / "two.safetensors")
    said(shelf, "several")


def test_tokenizers_that_were_cut(folder):
    """A list of merges that is not whole would read words as letters, and draw something else."""
    model = copy_model(folder, "model")
    expected = make(folder, "--model", model)
    merges = (model / "tokenizer/merges.txt").read_text()
    for content in ["", "garbage", merges[:len(merges) // 2 + 1].rsplit("\n", 1)[0] + "\n"]:
        (model / "tokenizer/merges.txt").write_text(content)
        error = run(folder, "generate", "--prompt", "x", "--model", model, status=2).err
        assert "merges" in error and error.count("\n") == 1, error
    # What transformers does without, too; and the mark that some editors put in front.
    (model / "tokenizer/merges.txt").write_text(merges)
    (model / "tokenizer/tokenizer_config.json").unlink()
    config = model / "unet/config.json"
    config.write_text("\ufeff" + config.read_text())
    assert make(folder, "--model", model) == expected


def test_parts_alone(folder):
    """A file without some of the parts, or with numbers of 8 bits, says what to choose."""
    whole = ldm_file.checkpoint(GOLDEN / "sd1/model")
    unet = {name: tensor for name, tensor in whole.items() if name.startswith("model.diffusion_model.")}
    narrow = {name: ("F8_E4M3", shape, data[:len(data) // ldm_file.SIZES[kind]]) if name in unet else (kind, shape, data)
              for name, (kind, shape, data) in whole.items()}
    for content, said in [(unet, "holds all parts"), (narrow, "16 or 32 bits"),
                          ({name.removeprefix("model."): tensor for name, tensor in unet.items()}, "UNet alone"),
                          ({name.removeprefix("model.diffusion_model."): tensor for name, tensor in unet.items()}, "UNet alone")]:
        ldm_file.write(folder / "x.safetensors", content)
        error = run(folder, "generate", "--prompt", "x", *TINY, "--model", folder / "x.safetensors", status=2).err
        assert said in error and error.count("\n") == 1, error


# ------------------------------------------------------------------ adapters


def adapter(path, layers, metadata=None, config=None):
    """PEFT's naming; layers is [(name, in, out, rank)], of numbers that tell which is which."""
    content = {}
    for name, n_in, n_out, rank in layers:
        for part, shape in [("lora_A", [rank, n_in]), ("lora_B", [n_out, rank])]:
            values = [0.02 * ((i * 7) % 11 - 5) for i in range(shape[0] * shape[1])]
            content["%s.%s.weight" % (name, part)] = ("F32", shape, struct.pack("<%df" % len(values), *values))
    path.parent.mkdir(parents=True, exist_ok=True)
    ldm_file.write(path, content, metadata)
    if config:
        (path.parent / "adapter_config.json").write_text(json.dumps(config))
    return path


QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
ORIGINAL = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q"
TEXT = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"


def test_adapter_strength(folder):
    """What lies beside a PEFT file, or in its header, says how strong it is: as much as --lora FILE:X."""
    def drawn(file, strength=1):
        return make(folder, "--model", GOLDEN / "sd1/model", "--lora", "%s:%s" % (file, strength))

    layer = [("base_model.model." + QUERY, 16, 16, 4)]
    eight = drawn(adapter(folder / "plain/a.safetensors", layer), 8)
    peft = folder / "peft/adapter_model.safetensors"
    assert drawn(adapter(peft, layer, config={"r": 4, "lora_alpha": 32})) == eight
    assert drawn(adapter(peft, layer, config={"r": 4, "lora_alpha": 16, "use_rslora": True})) == eight
    assert drawn(peft.parent) == eight
    # diffusers' UNet.save_lora_adapter().
    assert drawn(adapter(folder / "unet.safetensors", [(QUERY, 16, 16, 4)],
                         {"lora_adapter_metadata": json.dumps({"r": 4, "lora_alpha": 32})})) == eight
    both = [("unet." + QUERY, 16, 16, 4), (TEXT, 32, 32, 4)]
    header = {"unet.r": 4, "unet.lora_alpha": 32, "text_encoder.r": 4, "text_encoder.lora_alpha": 32}
    assert (drawn(adapter(folder / "header.safetensors", both, {"lora_adapter_metadata": json.dumps(header)}))
            == drawn(adapter(folder / "silent.safetensors", both), 8))


def test_alpha_of_zero(folder):
    """An alpha of 0 is none: the strength is that of the rank, as the trainers that write it draw."""
    module, drawn = "lora_unet_" + QUERY.replace(".", "_"), []
    for alpha in [4, 0]:
        ldm_file.write_kohya(folder / "a.safetensors", [(module, 16, 16, 4, alpha)], 1)
        drawn.append(make(folder, "--model", GOLDEN / "sd1/model", "--lora", folder / "a.safetensors"))
    assert drawn[0] == drawn[1]
    assert drawn[0] != make(folder, "--model", GOLDEN / "sd1/model")


def test_adapter_names(folder):
    """Original block names are diffusers'; what a model does not have is told in layers, also with --quiet."""
    words = ["generate", "--prompt", "x", "--count", "1", "--seed", "3", *TINY, "--quiet", "--model", GOLDEN / "sd1/model"]
    words += ["--lora"]
    known, original = [(QUERY, 16, 16, 4)], [(ORIGINAL, 16, 16, 4)]
    run(folder, *words, adapter(folder / "known.safetensors", known))
    run(folder, *words, adapter(folder / "original.safetensors", original))
    assert trajectory(folder, 1)["latents"] == trajectory(folder, 2)["latents"]
    said = run(folder, *words, adapter(folder / "more.safetensors", [*known, ("unet.no.such.layer", 4, 4, 2)])).err
    assert "1 of this adapter's 2 layers" in said and "no.such.layer" in said, said
    style = run(folder, "style", "import", "--quiet", "--model", GOLDEN / "sd1/model", "--name", "both",
                adapter(folder / "text.safetensors", [*known, (TEXT, 32, 32, 4)]))
    assert "1 of this adapter's 2 layers" in style.err, style.err


def test_adapters_of_other_kinds(folder):
    """Other families and other kinds are refused by their names."""
    words = ["generate", "--prompt", "x", "--model", GOLDEN / "sd1/model", "--lora"]
    known = [(QUERY, 16, 16, 4)]
    two = adapter(folder / "two.safetensors", [*known, (TEXT.replace("encoder", "encoder_2", 1), 32, 32, 4)])
    assert "SDXL" in run(folder, *words, two, status=2).err
    named = adapter(folder / "named.safetensors", known, {"ss_base_model_version": "sdxl_base_v1-0"})
    assert "SDXL" in run(folder, *words, named, status=2).err
    other = adapter(folder / "other.safetensors", [*known, ("lora_unet_double_blocks_0_img_mod_lin", 4, 4, 2)])
    assert "Flux" in run(folder, *words, other, status=2).err
    # Layers in 8 bits, whose scales nobody knows; and none at all.
    whole = ldm_file.read(adapter(folder / "narrow.safetensors", known))
    for kind in ["I8", "U8", "F8_E4M3"]:
        ldm_file.write(folder / "narrow.safetensors", {name: (kind, shape, data[:len(data) // 4])
                                                       for name, (_, shape, data) in whole.items()})
        assert "16 or 32 bits" in run(folder, *words, folder / "narrow.safetensors", status=2).err, kind
    ldm_file.write(folder / "narrow.safetensors", {})
    for other in [(GOLDEN / "sd1/model/vae").glob("*.safetensors"), (GOLDEN / "sd1/model/unet").glob("*.safetensors")]:
        assert "is no adapter" in run(folder, *words, next(other), status=2).err
    assert "nothing at all" in run(folder, *words, folder / "narrow.safetensors", status=2).err
    for ending in ["lora_magnitude_vector", "lora_magnitude_vector.default.weight", "dora_scale"]:
        content = ldm_file.read(adapter(folder / "dora.safetensors", known))
        content["%s.%s" % (QUERY, ending)] = ("F32", [16], struct.pack("<16f", *[1] * 16))
        ldm_file.write(folder / "dora.safetensors", content)
        assert "DoRA" in run(folder, *words, folder / "dora.safetensors", status=2).err, ending


# ------------------------------------------------------------------ a model that moved


def test_moved_model(folder):
    """A style whose model has moved says where it was, can be exported, and is pointed to the new place."""
    model = copy_model(folder, "before")
    identity = run(folder, "generate", "--prompt", "x", "--count", "2", *TINY, "--model", model).out.strip()
    run(folder, "pick", identity, "--best", "0")
    run(folder, "teach", "--style", "ink", *ONE_PASS, "--rank", "2", "--seed", "1")
    model.rename(folder / "after")
    draw = ["generate", "--prompt", "x", "--count", "1", *TINY, "--style", "ink"]
    error = run(folder, *draw, status=2).err
    assert str(model) in error and "relocate" in error, error
    run(folder, "style", "export", "ink", folder / "ink.safetensors")
    other = GOLDEN / "sd2/model"
    assert "content" in run(folder, "style", "relocate", "ink", other, status=2).err
    run(folder, "style", "relocate", "ink", folder / "after")
    run(folder, *draw)
    # In the models folder it is found by itself; and teaching takes the new place, too.
    (folder / "models").mkdir()
    (folder / "after").rename(folder / "models/anything")
    run(folder, *draw)
    (folder / "models/anything").rename(folder / "elsewhere")
    teach = ["teach", "--style", "ink", *ONE_PASS, "--fresh"]
    run(folder, *teach, status=2)
    run(folder, *teach, "--model", folder / "elsewhere")


main([test_kinds_of_files, test_device_by_name, test_no_locks, test_long_path, test_folders_of_other_programs,
      test_sample_size, test_where_models_are, test_vae_beside_other_parts, test_second_generation_with_clip_names,
      test_second_encoder_with_clip_names, test_prediction, test_ztsnr_without_v, test_downloads_that_did_not_finish,
      test_models_that_are_not_there, test_tokenizers_that_were_cut, test_parts_alone, test_adapter_strength, test_alpha_of_zero, test_adapter_names, test_adapters_of_other_kinds,
      test_moved_model])
