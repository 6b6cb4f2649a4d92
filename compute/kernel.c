// SPDX-License-Identifier: GPL-3.0-or-later
#include "config.h"

#include "compute/kernel.h"

/* The little of SPIR-V that is needed (SPIR-V Specification 1.6, sections 3 and 5). */
#define HEADER_WORDS 5
enum {
    OP_EXECUTION_MODE = 16,
    OP_CAPABILITY = 17,
    OP_TYPE_BOOL = 20,
    OP_TYPE_INT = 21,
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_TYPE_ARRAY = 28,
    OP_TYPE_POINTER = 32,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_SPEC_CONSTANT_TRUE = 48,
    OP_SPEC_CONSTANT_FALSE = 49,
    OP_SPEC_CONSTANT = 50,
    OP_SPEC_CONSTANT_COMPOSITE = 51,
    OP_SPEC_CONSTANT_OP = 52,
    OP_FUNCTION = 54,
    OP_VARIABLE = 59,
    OP_DECORATE = 71,
    OP_COMPOSITE_EXTRACT = 81,
    OP_I_ADD = 128,
    OP_I_SUB = 130,
    OP_I_MUL = 132,
    OP_U_DIV = 134,
    OP_U_MOD = 137,
    OP_LOGICAL_OR = 166,
    OP_LOGICAL_AND = 167,
    OP_LOGICAL_NOT = 168,
    OP_SELECT = 169,
    OP_I_EQUAL = 170,
    OP_I_NOT_EQUAL = 171,
    OP_U_GREATER_THAN = 172,
    OP_U_GREATER_THAN_EQUAL = 174,
    OP_U_LESS_THAN = 176,
    OP_U_LESS_THAN_EQUAL = 178,
};
enum { MODE_LOCAL_SIZE = 17 };
enum { DECORATION_SPEC_ID = 1, DECORATION_BUILT_IN = 11, BUILT_IN_WORKGROUP_SIZE = 25 };
enum { STORAGE_WORKGROUP = 4 };
enum {
    CAPABILITY_SHADER = 1,
    CAPABILITY_FLOAT16 = 9,
    CAPABILITY_INT64 = 11,
    CAPABILITY_SUBGROUP = 61,
    CAPABILITY_SUBGROUP_LAST = 68,
    CAPABILITY_STORAGE_16BIT = 4433,
    CAPABILITY_MEMORY_MODEL = 5345,
    CAPABILITY_ADDRESSES = 5347,
    CAPABILITY_COOPERATIVE_MATRIX = 6022,
};

/* A type or a constant. */
typedef struct {
    guint32 op;
    guint32 bytes;              /* of a scalar or vector type */
    guint32 element, length;    /* ids, of an array type; `element` of a pointer, too */
    guint32 values[3];          /* of a constant */
    gboolean known;             /* whether `values` are */
    gboolean has_spec, is_size; /* decorated */
    guint32 spec_id;
} Id;

typedef struct {
    Id *ids;
    guint32 bound;
    const guint32 *spec;
    guint n_spec;
    PenKernelNeeds *needs;
} Reader;

static void read_capability(PenKernelNeeds *needs, guint32 capability)
{
    switch (capability) {
    case CAPABILITY_SHADER:
        break;
    case CAPABILITY_FLOAT16:
        needs->float16_arithmetic = TRUE;
        break;
    case CAPABILITY_STORAGE_16BIT:
        needs->float16_storage = TRUE;
        break;
    case CAPABILITY_INT64:
    case CAPABILITY_ADDRESSES:
        needs->addresses = TRUE;
        break;
    case CAPABILITY_MEMORY_MODEL:
    case CAPABILITY_COOPERATIVE_MATRIX:
        needs->matrix = TRUE;
        break;
    default:
        if (capability > CAPABILITY_SUBGROUP && capability <= CAPABILITY_SUBGROUP_LAST)
            needs->shuffles = TRUE;
        else if (capability != CAPABILITY_SUBGROUP)
            needs->other = capability;
    }
}

static gboolean evaluate(guint32 op, const guint32 *v, guint32 *result)
{
    switch (op) {
    case OP_I_ADD:
        *result = v[0] + v[1];
        return TRUE;
    case OP_I_SUB:
        *result = v[0] - v[1];
        return TRUE;
    case OP_I_MUL:
        *result = v[0] * v[1];
        return TRUE;
    case OP_U_DIV:
        *result = v[1] ? v[0] / v[1] : 0;
        return v[1] != 0;
    case OP_U_MOD:
        *result = v[1] ? v[0] % v[1] : 0;
        return v[1] != 0;
    case OP_LOGICAL_OR:
        *result = v[0] || v[1];
        return TRUE;
    case OP_LOGICAL_AND:
        *result = v[0] && v[1];
        return TRUE;
    case OP_LOGICAL_NOT:
        *result = !v[0];
        return TRUE;
    case OP_SELECT:
        *result = v[0] ? v[1] : v[2];
        return TRUE;
    case OP_I_EQUAL:
        *result = v[0] == v[1];
        return TRUE;
    case OP_I_NOT_EQUAL:
        *result = v[0] != v[1];
        return TRUE;
    case OP_U_GREATER_THAN:
        *result = v[0] > v[1];
        return TRUE;
    case OP_U_GREATER_THAN_EQUAL:
        *result = v[0] >= v[1];
        return TRUE;
    case OP_U_LESS_THAN:
        *result = v[0] < v[1];
        return TRUE;
    case OP_U_LESS_THAN_EQUAL:
        *result = v[0] <= v[1];
        return TRUE;
    default:
        return FALSE;
    }
}

/* The word of an instruction that names its result; 0 where it has none that matters here. */
static guint result_word(guint32 op)
{
    switch (op) {
    case OP_TYPE_BOOL:
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT:
    case OP_TYPE_VECTOR:
    case OP_TYPE_ARRAY:
    case OP_TYPE_POINTER:
        return 1;
    case OP_CONSTANT_TRUE:
    case OP_CONSTANT_FALSE:
    case OP_CONSTANT:
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
    case OP_SPEC_CONSTANT:
    case OP_SPEC_CONSTANT_COMPOSITE:
    case OP_SPEC_CONSTANT_OP:
        return 2;
    default:
        return 0;
    }
}

static void read_constant_op(Reader *r, const guint32 *word, guint n, Id *id)
{
    guint32 v[3] = { 0, 0, 0 };
    guint n_operands = n - 4;
    if (n < 5 || n_operands > 3 || word[4] >= r->bound)
        return;
    if (word[3] == OP_COMPOSITE_EXTRACT) {
        id->known = n == 6 && word[5] < 3 && r->ids[word[4]].known;
        if (id->known)
            id->values[0] = r->ids[word[4]].values[word[5]];
        return;
    }
    for (guint i = 0; i < n_operands; i++) {
        if (word[4 + i] >= r->bound || !r->ids[word[4 + i]].known)
            return;
        v[i] = r->ids[word[4 + i]].values[0];
    }
    id->known = evaluate(word[3], v, &id->values[0]);
}

static void read_constant(Reader *r, const guint32 *word, guint n, Id *id)
{
    switch (word[0] & 0xffff) {
    case OP_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_TRUE:
        id->values[0] = 1;
        id->known = TRUE;
        break;
    case OP_CONSTANT_FALSE:
    case OP_SPEC_CONSTANT_FALSE:
        id->known = TRUE;
        break;
    case OP_CONSTANT:
    case OP_SPEC_CONSTANT:
        id->known = n == 4;
        if (id->known)
            id->values[0] = word[3];
        break;
    case OP_SPEC_CONSTANT_COMPOSITE:
        id->known = n == 6;
        for (guint i = 0; id->known && i < 3; i++) {
            id->known = word[3 + i] < r->bound && r->ids[word[3 + i]].known;
            if (id->known)
                id->values[i] = r->ids[word[3 + i]].values[0];
        }
        if (id->known && id->is_size)
            for (guint i = 0; i < 3; i++)
                r->needs->workgroup[i] = id->values[i];
        break;
    default:
        read_constant_op(r, word, n, id);
    }
    if (id->has_spec && id->spec_id < r->n_spec)
        id->values[0] = r->spec[id->spec_id];
}

static gboolean read_type(Reader *r, const guint32 *word, guint n, Id *id)
{
    switch (word[0] & 0xffff) {
    case OP_TYPE_BOOL:
        id->bytes = 4;
        return TRUE;
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT:
        id->bytes = n > 2 ? word[2] / 8 : 0;
        return n > 2;
    case OP_TYPE_VECTOR:
        if (n != 4 || word[2] >= r->bound)
            return FALSE;
        id->bytes = r->ids[word[2]].bytes * word[3];
        return TRUE;
    case OP_TYPE_ARRAY:
        if (n != 4 || word[2] >= r->bound || word[3] >= r->bound)
            return FALSE;
        id->element = word[2];
        id->length = word[3];
        return TRUE;
    case OP_TYPE_POINTER:
        if (n != 4 || word[3] >= r->bound)
            return FALSE;
        id->element = word[3];
        return TRUE;
    default:
        return FALSE;
    }
}

/* 0 where it cannot be told. */
static guint64 type_bytes(const Reader *r, guint32 type, guint depth)
{
    if (type >= r->bound || depth > 8)
        return 0;
    const Id *id = &r->ids[type];
    if (id->op != OP_TYPE_ARRAY)
        return id->bytes;
    const Id *length = &r->ids[id->length];
    return length->known ? length->values[0] * type_bytes(r, id->element, depth + 1) : 0;
}

static gboolean read_variable(Reader *r, const guint32 *word, guint n)
{
    if (n < 4 || word[3] != STORAGE_WORKGROUP)
        return TRUE;
    if (word[1] >= r->bound || r->ids[word[1]].op != OP_TYPE_POINTER)
        return FALSE;
    guint64 bytes = type_bytes(r, r->ids[word[1]].element, 0);
    r->needs->shared += (bytes + 15) / 16 * 16; /* where vectors begin */
    return bytes != 0;
}

static gboolean decorate(Reader *r, const guint32 *word, guint n)
{
    if (n < 4)
        return TRUE;
    if (word[1] >= r->bound)
        return FALSE;
    Id *id = &r->ids[word[1]];
    if (word[2] == DECORATION_SPEC_ID) {
        id->has_spec = TRUE;
        id->spec_id = word[3];
    }
    id->is_size |= word[2] == DECORATION_BUILT_IN && word[3] == BUILT_IN_WORKGROUP_SIZE;
    return TRUE;
}

static gboolean read_instruction(Reader *r, const guint32 *word, guint n)
{
    guint32 op = word[0] & 0xffff;
    switch (op) {
    case OP_CAPABILITY:
        read_capability(r->needs, n > 1 ? word[1] : 0);
        return n == 2;
    case OP_EXECUTION_MODE:
        for (guint i = 0; n == 6 && word[2] == MODE_LOCAL_SIZE && i < 3; i++)
            r->needs->workgroup[i] = word[3 + i];
        return TRUE;
    case OP_DECORATE:
        return decorate(r, word, n);
    case OP_VARIABLE:
        return read_variable(r, word, n);
    default: {
        guint at = result_word(op);
        if (!at)
            return TRUE;
        if (n <= at || word[at] >= r->bound)
            return FALSE;
        Id *id = &r->ids[word[at]];
        id->op = op;
        if (at == 1)
            return read_type(r, word, n, id);
        read_constant(r, word, n, id);
        return TRUE;
    }
    }
}

gboolean pen_kernel_read_needs(const PenShader *shader, const guint32 *spec, guint n_spec,
                               PenKernelNeeds *needs)
{
    gsize words = shader->size / sizeof *shader->words;
    *needs = (PenKernelNeeds){ .workgroup = { 1, 1, 1 } };
    if (words <= HEADER_WORDS)
        return FALSE;
    Reader r = {
        .bound = shader->words[3],
        .spec = spec,
        .n_spec = n_spec,
        .needs = needs,
    };
    g_autofree Id *ids = r.ids = g_new0(Id, r.bound);
    for (gsize i = HEADER_WORDS; i < words;) {
        const guint32 *word = shader->words + i;
        guint n = word[0] >> 16;
        if (n == 0 || n > words - i || !read_instruction(&r, word, n))
            return FALSE;
        if ((word[0] & 0xffff) == OP_FUNCTION) /* what follows is code */
            return TRUE;
        i += n;
    }
    return FALSE;
}
