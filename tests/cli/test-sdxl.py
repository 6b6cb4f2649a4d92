# SPDX-License-Identifier: GPL-3.0-or-later
"""SDXL from picking to another program's file: a folder and a single file, each a whole course; and what only looks like it."""

import json
import shutil

from models import GOLDEN, change_config, ldm_file, single_file, trajectory
from program import l2_error, run, tensors
from tap import main

SMALL = ["--steps", "3", "--width", "64", "--height", "64"]
MODEL = GOLDEN / "sdxl/model"


def course(folder, model):
    """Two rounds, picks, a lesson, an exported style that draws the same; returns the style's latents."""
    for number, words in enumerate([["--seed", "1"], ["--seed", "2", "--negative", "blue", "--height", "96",
                                                      "--sampler", "Euler a"]], 1):
        done = run(folder, "generate", "--prompt", "a red cat", "--model", model, "--count", "2", *SMALL, *words)
        assert done.out.strip() == str(number)
        run(folder, "pick", number, "--best", "1")
    steps = run(folder, "teach", "--model", model, "--style", "mine", "--epochs", "2", "--updates", "0", "--json")
    assert steps.of_type("step")[0]["grad_norm"] > 0
    drawn = lambda *words: trajectory(folder, run(folder, "generate", "--prompt", "a house", "--count", "1", "--seed", "9",
                                                  *SMALL, *words).out.strip())["latents"][1]
    with_style, bare = drawn("--style", "mine"), drawn("--model", model)
    assert l2_error(bare, with_style) > 1e-4
    for form in ["kohya", "diffusers"]:
        file = folder / (form + ".safetensors")
        run(folder, "style", "export", "mine", file, "--format", form)
        assert any("lora_unet_" in name if form == "kohya" else name.startswith("unet.") for name in tensors(file))
        assert l2_error(with_style, drawn("--model", model, "--lora", file)) < 2e-3, form
    run(folder, "refine", "1", "0", "--scale", "1.5", "--out", folder / "large.png")
    return with_style


def test_folder(folder):
    course(folder, MODEL)


def test_single_file(folder):
    course(folder, single_file("sdxl", folder / "painter.safetensors"))


def test_adapters_of_other_families(folder):
    """Refused by name, never half merged."""
    words = ["generate", "--prompt", "x", "--count", "1", *SMALL, "--model"]
    first, second = GOLDEN / "sd1/model", MODEL
    for model, lora, said in [(first, "lora_te2_text_model_encoder_layers_0_self_attn_q_proj", "SDXL"),
                              (second, "lora_unet_double_blocks_0_img_attn_qkv", "Flux")]:
        path = folder / (said + ".safetensors")
        ldm_file.write_kohya(path, [(lora, 8, 8, 2, 1)], 1)
        assert said in run(folder, *words, model, "--lora", path, status=2).err
    path = folder / "first.safetensors"
    config = json.loads((first / "unet/config.json").read_text())
    width = config["cross_attention_dim"]
    ldm_file.write_kohya(path, [("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", width,
                                 config["block_out_channels"][0], 2, 1)], 1)
    run(folder, *words, first, "--lora", path)
    run(folder, *words, second, "--lora", path, status=2)


def test_folders_of_others(folder):
    """Folders that look like SDXL's are refused by the name of what they are."""
    def refused(said, change):
        model = shutil.copytree(MODEL, folder / "other")
        change(model)
        error = run(folder, "generate", "--prompt", "x", "--model", model, status=2).err
        assert said in error and error.count("\n") == 1, (said, error)
        shutil.rmtree(model)

    def unet(**values):
        return lambda model: change_config(model / "unet/config.json", **values)

    def scheduler(**values):
        return lambda model: change_config(model / "scheduler/scheduler_config.json", **values)

    def index(**values):
        return lambda model: (model / "model_index.json").write_text(json.dumps(values))

    def without(part):
        return lambda model: shutil.rmtree(model / part)

    refused("Playground 2.5", scheduler(_class_name="EDMDPMSolverMultistepScheduler"))
    refused("CosXL", scheduler(_class_name="EulerDiscreteScheduler", timestep_type="continuous"))
    refused("Flux", scheduler(_class_name="FlowMatchEulerDiscreteScheduler"))
    refused("refiner", index(_class_name="StableDiffusionXLImg2ImgPipeline", requires_aesthetics_score=True))
    refused("refiner", unet(cross_attention_dim=1280, projection_class_embeddings_input_dim=2560))
    refused("KOALA", unet(mid_block_type=None, layers_per_block=1))
    refused("SSD-1B", unet(reverse_transformer_layers_per_block=[[4, 4, 10], [2, 1, 1], 1],
                           transformer_layers_per_block=[1, [2, 2], [4, 4]]))
    refused("Segmind-Vega", unet(mid_block_type="UNetMidBlock2D", transformer_layers_per_block=[1, 1, 2]))
    refused("latent consistency", unet(time_cond_proj_dim=256))
    refused("text_encoder_2", without("text_encoder_2"))
    for name in ["StableDiffusion3Pipeline", "FluxPipeline", "QwenImagePipeline", "ZImagePipeline"]:
        def only_transformer(model):
            (model / "unet").rename(model / "transformer")
            index(_class_name=name)(model)
        refused(name, only_transformer)


main([test_folder, test_single_file, test_adapters_of_other_families, test_folders_of_others])
