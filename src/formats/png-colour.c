// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/formats/png-colour.h"

#include <lcms2.h>
#include <math.h>

struct _PenPngColour {
    cmsHTRANSFORM transform;
    gboolean deep;
};

// One over the exponent that sRGB is nearest to, as its writers put it into gAMA; and how near is
// the same.
#define SRGB_GAMMA 0.45455
#define GAMMA_REACH 0.005
#define CHROMATICITY_REACH 0.002

static const double srgb_chromaticities[8] = { 0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06 };

static cmsToneCurve *srgb_curve(void)
{
    const double parameters[] = { 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045 };
    return cmsBuildParametricToneCurve(NULL, 4, parameters);
}

// White, red, green, blue as x, y pairs; the exponent of decoding, 0 for sRGB's curve.
static cmsHPROFILE make_profile(const double *c, double exponent, gboolean grey)
{
    cmsCIExyY white = { c[0], c[1], 1 };
    cmsCIExyYTRIPLE primaries = { { c[2], c[3], 1 }, { c[4], c[5], 1 }, { c[6], c[7], 1 } };
    cmsToneCurve *curve = exponent > 0 ? cmsBuildGamma(NULL, exponent) : srgb_curve();
    cmsToneCurve *curves[3] = { curve, curve, curve };
    cmsHPROFILE profile = grey ? cmsCreateGrayProfile(&white, curve)
                               : cmsCreateRGBProfile(&white, &primaries, curves);
    cmsFreeToneCurve(curve);
    return profile;
}

static gboolean chromaticities_are_srgb(const double *c)
{
    for (guint i = 0; i < G_N_ELEMENTS(srgb_chromaticities); i++)
        if (fabs(c[i] - srgb_chromaticities[i]) > CHROMATICITY_REACH)
            return FALSE;
    return TRUE;
}

// ITU-T H.273's numbers: primaries of BT.709, BT.2020 and Display P3; linear light, sRGB's curve,
// and those of television, which decode as exponent 2.4. What is brighter than white (PQ, HLG) has
// no place in sRGB.
static gboolean profile_of_cicp(png_structp png, png_infop info, gboolean grey,
                                cmsHPROFILE *profile)
{
#ifdef PNG_cICP_SUPPORTED
    static const double bt2020[8] = { 0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046 };
    static const double p3[8] = { 0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060 };
    png_byte primaries, transfer, matrix, full;
    if (!png_get_cICP(png, info, &primaries, &transfer, &matrix, &full))
        return FALSE;
    const double *c = primaries == 1    ? srgb_chromaticities
                      : primaries == 9  ? bt2020
                      : primaries == 12 ? p3
                                        : NULL;
    double exponent = transfer == 8                                      ? 1
                      : transfer == 1 || transfer == 6 || transfer == 14 ? 2.4
                                                                         : 0;
    if (!c || !full || (exponent == 0 && transfer != 13))
        return FALSE;
    if (primaries != 1 || transfer != 13)
        *profile = make_profile(c, exponent, grey);
    return TRUE;
#else
    return FALSE;
#endif
}

static gboolean profile_of_icc(png_structp png, png_infop info, gboolean grey, cmsHPROFILE *profile)
{
    png_charp name;
    png_bytep data;
    png_uint_32 size;
    int compression;
    if (!png_get_iCCP(png, info, &name, &compression, &data, &size))
        return FALSE;
    cmsHPROFILE found = cmsOpenProfileFromMem(data, size);
    if (found && cmsGetColorSpace(found) != (grey ? cmsSigGrayData : cmsSigRgbData)) {
        cmsCloseProfile(found);
        found = NULL;
    }
    *profile = found;
    return found != NULL;
}

static void profile_of_numbers(png_structp png, png_infop info, gboolean grey, cmsHPROFILE *profile)
{
    double gamma = SRGB_GAMMA, c[8];
    gboolean chromaticities =
        png_get_cHRM(png, info, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7]) != 0;
    png_get_gAMA(png, info, &gamma);
    gboolean srgb_gamma = fabs(gamma - SRGB_GAMMA) < GAMMA_REACH;
    gboolean srgb_colours = !chromaticities || chromaticities_are_srgb(c);
    if ((srgb_gamma && srgb_colours) || !(gamma > 0.01 && gamma < 10))
        return;
    *profile =
        make_profile(chromaticities ? c : srgb_chromaticities, srgb_gamma ? 0 : 1 / gamma, grey);
}

static cmsHPROFILE find_profile(png_structp png, png_infop info, gboolean grey)
{
    cmsHPROFILE profile = NULL;
    int intent;
    if (!profile_of_cicp(png, info, grey, &profile) && !profile_of_icc(png, info, grey, &profile) &&
        !png_get_sRGB(png, info, &intent))
        profile_of_numbers(png, info, grey, &profile);
    return profile;
}

PenPngColour *pen_png_colour_new(png_structp png, png_infop info, gboolean deep)
{
    gboolean grey = !(png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR);
    cmsHPROFILE from = find_profile(png, info, grey);
    if (!from)
        return NULL;
    /* Of grey pixels the first of the three equal channels is read. */
    cmsUInt32Number bytes = BYTES_SH(deep ? 2 : 1);
    cmsUInt32Number format = grey ? COLORSPACE_SH(PT_GRAY) | CHANNELS_SH(1) | EXTRA_SH(3) | bytes
                                  : COLORSPACE_SH(PT_RGB) | CHANNELS_SH(3) | EXTRA_SH(1) | bytes;
    cmsHPROFILE srgb = cmsCreate_sRGBProfile();
    cmsHTRANSFORM transform =
        cmsCreateTransform(from, format, srgb, TYPE_RGBA_8, INTENT_RELATIVE_COLORIMETRIC,
                           cmsFLAGS_BLACKPOINTCOMPENSATION | cmsFLAGS_HIGHRESPRECALC);
    cmsCloseProfile(srgb);
    cmsCloseProfile(from);
    if (!transform)
        return NULL;
    PenPngColour *colour = g_new0(PenPngColour, 1);
    colour->transform = transform;
    colour->deep = deep;
    return colour;
}

void pen_png_colour_free(PenPngColour *colour)
{
    if (!colour)
        return;
    cmsDeleteTransform(colour->transform);
    g_free(colour);
}

void pen_png_colour_run(const PenPngColour *colour, const void *from, gsize n, guint8 *to)
{
    const guint8 *narrow = from;
    const guint16 *wide = from;
    cmsDoTransform(colour->transform, from, to, (cmsUInt32Number)n);
    for (gsize i = 3; i < 4 * n; i += 4)
        to[i] = colour->deep ? (guint8)((wide[i] * 255u + 32767u) / 65535u) : narrow[i];
}
