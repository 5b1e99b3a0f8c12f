// What the attention kernels share: work items, where partial results go, and how they are merged.
//
// Keys are taken in spans, counted from the first key of a prefix or suffix, of as many keys as AttentionCut.cs says.
// Within a span a row runs the online softmax (Milakov and Gimelshein, 2018; Dao, FlashAttention-2, 2023) from nothing;
// spans are folded into one another by log-sum-exp, in order, prefix before suffix. Whether a span is an item of its
// own (few rows and few prompts in flight: many blocks) or one of several that an item walks through changes no bit of
// the result, nor does what else is in the plan.
//
// The samples of a prompt with many rows are one launch (attention_group.cuh). All else is two: items of the first
// leave a partial result for each row; those of the second fold the partial results of their rows, walk through their
// own keys and write the output. Most suffixes are such items, so that only prefixes leave partial results. A partial
// result costs 8 (dim + 2) bytes, written and read, against 4 dim for each key: with 16 samples of a prompt and one
// query head a key/value head, a span's are 8 % of its keys and values.
//
// A row is a query token and one of the `group` query heads of a key/value head; the rows of an item are tokens x
// group, tokens outermost, so that the samples of a prompt share one pass over its keys.
#pragma once
#include "farm_device.cuh"

constexpr int kPage = 128;
constexpr int kItemWords = 12;
constexpr int kFinal = 1, kTotals = 2;  // flags of an item

struct Item {
    int page_start;   // first entry of the pages list
    int length;       // keys of the prefix or suffix
    int key_begin;    // first key of the item, a multiple of span
    int key_end;      // past its last key
    int first_token;  // query row of token 0
    int first_row;    // first of the item's rows
    int rows;         // rows of the whole prefix or suffix
    int limit;        // token i sees keys 0 .. min(length, limit + i) - 1
    int slot;         // where its results go among the partial ones of a row
    int flags;        // whether it writes the output; whether it folds several results
    int span;         // keys of a span, a multiple of kPage
};
FARM_DEVICE Item item_at(const int* items, int index) {
    const int* p = items + static_cast<s64>(index) * kItemWords;
    return {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10]};
}

// Results of a row: maximum of the scores (times log2 e), sum of weights, sum of weighted values.
struct Fold {
    float maximum, keep, add;  // new maximum; factors of what was there and of what comes
};
FARM_DEVICE Fold fold(float before, float incoming) {
    float maximum = max_of(before, incoming);
    return {maximum, fast_exp2(before - maximum), fast_exp2(incoming - maximum)};
}
FARM_DEVICE float folded(const Fold& f, float before, float incoming) {
    return fma(incoming, f.add, before * f.keep);
}

// slots[token] = {index of (head 0, slot 0), number of partial results}.
struct Results {
    float* output;
    int output_stride;
    float* values;  // [index][dim]
    float* sums;    // [index] {maximum, sum}
    int dim;
};
