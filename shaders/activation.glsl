// SPDX-License-Identifier: GPL-3.0-or-later
// Activation functions and their derivatives, in float32.

// The numbers of PenActivation.
const uint ACTIVATION_SILU = 1;
const uint ACTIVATION_GELU = 2;
const uint ACTIVATION_QUICK_GELU = 3;

vec4 sigmoid(vec4 x)
{
    return 1 / (1 + exp(-x));
}

vec4 silu(vec4 x)
{
    return x / (1 + exp(-x));
}

vec4 silu_derivative(vec4 x)
{
    vec4 s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

vec4 polynomial(vec4 x, float c0, float c1, float c2, float c3, float c4, float c5, float c6)
{
    vec4 y = fma(vec4(c6), x, vec4(c5));
    y = fma(y, x, vec4(c4));
    y = fma(y, x, vec4(c3));
    y = fma(y, x, vec4(c2));
    y = fma(y, x, vec4(c1));
    return fma(y, x, vec4(c0));
}

// The error function, within 1.3e-7: x P(x^2) up to 1 and 1 - exp2(Q(x)) above. P and Q are minimax
// fits made for this file (least squares on Chebyshev nodes, reweighted until the error is level; the
// errors of the fits are 1.2e-9 and 1.5e-9, the rest is float32 rounding).
vec4 erf(vec4 x)
{
    vec4 a = abs(x), z = min(a, 4);
    vec4 low = a * polynomial(a * a, 1.1283791065216064, -0.3761262595653534, 0.11283600330352783,
                              -0.026854444295167923, 0.005189535208046436, -0.0008020841050893068,
                              7.889119297033176e-05);
    vec4 high = 1 - exp2(polynomial(z, -0.0005102941067889333, -1.6259751319885254,
                                    -0.9207649230957031, -0.1486515998840332, 0.03145847097039223,
                                    -0.004240969195961952, 0.0002677279699128121));
    return sign(x) * mix(low, high, greaterThanEqual(a, vec4(1)));
}

// The distribution function of the standard normal distribution.
vec4 normal_cdf(vec4 x)
{
    return 0.5 + 0.5 * erf(x * 0.7071067811865476);
}

vec4 gelu(vec4 x)
{
    return x * normal_cdf(x);
}

vec4 gelu_derivative(vec4 x)
{
    return normal_cdf(x) + x * 0.3989422804014327 * exp(-0.5 * x * x);
}

vec4 activation(uint kind, vec4 x)
{
    if (kind == ACTIVATION_SILU)
        return silu(x);
    if (kind == ACTIVATION_GELU)
        return gelu(x);
    return x * sigmoid(1.702 * x);
}

vec4 activation_derivative(uint kind, vec4 x)
{
    if (kind == ACTIVATION_SILU)
        return silu_derivative(x);
    if (kind == ACTIVATION_GELU)
        return gelu_derivative(x);
    vec4 s = sigmoid(1.702 * x);
    return s * (1 + 1.702 * x * (1 - s));
}
