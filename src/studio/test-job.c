// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "src/selftest/selftest.h"
#include "src/studio/job.h"

static void on_progress(double fraction, const char *name, gpointer user_data)
{
    pen_job_progress(user_data, fraction);
}

static gpointer run(PenJob *job, GError **error)
{
    PenSelftestOptions options = {
        .device = job->studio->device_wanted,
        .progress = on_progress,
        .user_data = job,
    };
    pen_job_close_device(job); /* its memory is needed, and its kernels may be other ones then */
    g_autoptr(PenSelftest) selftest = pen_selftest_run(&options, job->cancellable, error);
    if (!selftest)
        return NULL;
    PenDeviceTest *test = g_new0(PenDeviceTest, 1);
    test->good = selftest->verdict == PEN_SELFTEST_GOOD;
    test->verdict = pen_selftest_verdict_text(selftest);
    test->report = g_strdup(selftest->info->findings);
    return test;
}

void pen_device_test_free(PenDeviceTest *test)
{
    if (!test)
        return;
    g_free(test->verdict);
    g_free(test->report);
    g_free(test);
}

void pen_studio_test_device_async(PenStudio *studio, PenStudioEventFunc event, gpointer event_data,
                                  GCancellable *cancellable, GAsyncReadyCallback callback,
                                  gpointer user_data)
{
    pen_job_start(studio, run, NULL, NULL, (GDestroyNotify)pen_device_test_free, event, event_data,
                  cancellable, callback, user_data, pen_studio_test_device_async);
}

PenDeviceTest *pen_studio_test_device_finish(PenStudio *studio G_GNUC_UNUSED, GAsyncResult *result,
                                             GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
