// SPDX-License-Identifier: GPL-3.0-or-later
// Walking down columns: the rows of an image are cut into chunks, and one invocation goes down one
// chunk of one column, a run of four channels, so that neighbours read neighbouring memory and what
// belongs to a channel is read once. Partial results are float32: for each image, chunk and column
// two vectors.

layout(push_constant) uniform Push
{
    uint images, rows, channels, chunk_rows, chunks;
    uint groups;
    float epsilon;
};

struct Walk {
    uint image, chunk, column;
    uint channel, left; // the first channel, and how many there are from it on
    uint row, end;      // the chunk's rows, counted over all images
};

// FALSE for invocations beyond the last.
bool column_walk(uint invocation, out Walk w)
{
    uint columns = (channels + 3) / 4;
    w.column = invocation % columns;
    w.chunk = invocation / columns % chunks;
    w.image = invocation / columns / chunks;
    w.channel = w.column * 4;
    w.left = channels - w.channel;
    w.row = w.image * rows + w.chunk * chunk_rows;
    w.end = w.image * rows + min((w.chunk + 1) * chunk_rows, rows);
    return w.image < images;
}

// Where the two vectors of a column's partial result are.
uint column_partial(uint image, uint chunk, uint column)
{
    return ((image * chunks + chunk) * ((channels + 3) / 4) + column) * 2;
}
