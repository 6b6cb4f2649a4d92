// SPDX-License-Identifier: GPL-3.0-or-later
/* What files of few-step models are called, as published or as people call theirs, and how they are
 * drawn. */
#include "src/models/few-steps.h"

typedef struct {
    const char *path, *name; /* name NULL: none */
    guint steps;
    double guidance;
    int first; /* timestep, 0: the sampler's */
} Case;

static const Case models[] = {
    { "/m/sd_xl_turbo_1.0_fp16.safetensors", "Turbo", 4, 1, 0 },
    { "/m/dreamshaperXL_v21TurboDPMSDE.safetensors", "Turbo", 4, 1, 0 },
    { "/m/sdxl_lightning_8step.safetensors", "Lightning", 8, 1, 0 },
    { "/m/juggernautXL_v9Rdphoto2Lightning.safetensors", "Lightning", 4, 1, 0 },
    { "/m/Hyper-SDXL-1step-Unet-Comfyui.fp16.safetensors", "Hyper-SD", 1, 1, 800 },
    { "/m/juggXIByRundiffusionHyper.safetensors", "Hyper-SD", 8, 1, 0 },
    { "/m/dmd2_sdxl_4step_unet_fp16.safetensors", "DMD2", 4, 1, 999 },
    { "/m/dmd2_sdxl_1step_unet.safetensors", "DMD2", 1, 1, 399 },
    { "/m/dreamshaper_8LCM.safetensors", "LCM", 4, 1, 0 },
    { "/m/models--SimianLuo--LCM_Dreamshaper_v7/snapshots/0123abc", "LCM", 4, 1, 0 },
    { "/m/sdxl-turbo", "Turbo", 4, 1, 0 },
    { "/m/hyperrealism_v3.safetensors", NULL, 0, 0, 0 },
    { "/m/HyperRealistic.safetensors", NULL, 0, 0, 0 },
    { "/m/illustriousXL_v01.safetensors", NULL, 0, 0, 0 },
    { "/m/turbo/ponyDiffusionV6XL.safetensors", NULL, 0, 0, 0 },
    { "/m/palcmix.safetensors", NULL, 0, 0, 0 },
};

static const Case adapters[] = {
    { "/l/lcm-lora-sdxl/pytorch_lora_weights.safetensors", "LCM", 4, 1, 0 },
    { "/l/LCM_LoRA_Weights_SD15.safetensors", "LCM", 4, 1, 0 },
    { "/l/sdxl_lightning_2step_lora.safetensors", "Lightning", 2, 1, 0 },
    { "/l/Hyper-SDXL-4steps-lora.safetensors", "Hyper-SD", 4, 1, 0 },
    { "/l/Hyper-SD15-12steps-CFG-lora.safetensors", "Hyper-SD with guidance", 12, 5, 0 },
    { "/l/Hyper-SDXL-1step-lora.safetensors", "Hyper-SD", 4, 1, 0 },
    { "/l/dmd2_sdxl_4step_lora_fp16.safetensors", "DMD2", 4, 1, 999 },
    { "/l/sdxl_tcd_lora.safetensors", "TCD", 4, 1, 0 },
    { "/l/sd_xl_turbo_lora_v1.safetensors", "Turbo", 4, 1, 0 },
    { "/l/lightning_storm_v2.safetensors", NULL, 0, 0, 0 },
    { "/l/hyperdetail.safetensors", NULL, 0, 0, 0 },
    { "/l/turbocar.safetensors", NULL, 0, 0, 0 },
};

static void check(const Case *c, gboolean adapter)
{
    PenFewSteps few = { 0 };
    gboolean found = adapter ? pen_few_steps_of_adapter(c->path, NULL, &few)
                             : pen_few_steps_of_model(c->path, NULL, &few);
    g_test_message("%s", c->path);
    g_assert_cmpint(found, ==, c->name != NULL);
    if (!found)
        return;
    g_assert_cmpstr(few.name, ==, c->name);
    g_assert_cmpuint(few.steps, ==, c->steps);
    g_assert_cmpfloat(few.guidance, ==, c->guidance);
    g_assert_cmpint(few.timesteps[0], ==, c->first);
}

static void test_names(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++)
        check(&models[i], FALSE);
    for (gsize i = 0; i < G_N_ELEMENTS(adapters); i++)
        check(&adapters[i], TRUE);
}

/* Each can be sampled as it says, with a schedule of 1000 timesteps. */
static void test_samplers(void)
{
    PenScheduleConfig config = PEN_SCHEDULE_CONFIG_INIT;
    g_autoptr(GError) error = NULL;
    g_autoptr(PenSchedule) schedule = pen_schedule_new(&config, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        PenFewSteps few;
        PenSpread spread = PEN_SPREAD_AUTOMATIC;
        if (!pen_few_steps_of_model(models[i].path, NULL, &few))
            few = pen_few_steps_any;
        PenSampling sampling = { .method = pen_method_find(few.sampler, &spread, &error),
                                 .steps = few.steps,
                                 .timesteps = few.timesteps[0] ? few.timesteps : NULL,
                                 .eta = few.eta };
        g_assert_no_error(error);
        pen_sampling_set_spread(&sampling, spread, schedule);
        g_autoptr(PenSteps) steps = pen_sampling_steps(&sampling, schedule, &error);
        g_assert_no_error(error);
        /* From noise, but for those that were made for another start. */
        g_assert_cmpfloat(steps->step[0].timestep, >=, few.timesteps[0] ? few.timesteps[0] : 990);
    }
}

static void test_schedulers(void)
{
    PenFewSteps few = { 0 };
    g_assert_true(pen_few_steps_of_scheduler("LCMScheduler", PEN_SPACING_LEADING, &few));
    g_assert_cmpstr(few.name, ==, "LCM");
    g_assert_true(
        pen_few_steps_of_scheduler("EulerAncestralDiscreteScheduler", PEN_SPACING_TRAILING, &few));
    g_assert_cmpstr(few.name, ==, "Turbo");
    g_assert_false(
        pen_few_steps_of_scheduler("EulerAncestralDiscreteScheduler", PEN_SPACING_LINSPACE, &few));
    g_assert_false(pen_few_steps_of_scheduler(NULL, PEN_SPACING_LEADING, &few));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/few-steps/names", test_names);
    g_test_add_func("/few-steps/samplers", test_samplers);
    g_test_add_func("/few-steps/schedulers", test_schedulers);
    return g_test_run();
}
