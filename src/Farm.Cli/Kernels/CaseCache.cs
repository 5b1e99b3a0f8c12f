using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>One layer of key/value pages for a case, filled in the order of the pages.</summary>
internal sealed class CaseCache
{
    private readonly CaseOperands _operands;
    private readonly ModelShape _model;
    private readonly Tensor _cosine, _sine;
    private readonly int _tokens;

    public CaseCache(CaseOperands operands, ModelShape model, int tokens, DType storage)
    {
        _operands = operands;
        _model = model;
        _tokens = tokens;
        Pool = operands.Pool(new KvShape(1, model.KvHeads, model.HeadDim, storage), KvPool.PagesFor(tokens));
        // Rotations of bounded angle: tables for as many positions as tokens would be the largest operand of a long case.
        _cosine = operands.Real(256, model.HeadDim / 2);
        _sine = operands.Real(256, model.HeadDim / 2);
    }

    /// <summary>The pages.</summary>
    public KvPool Pool { get; }

    /// <summary>Tokens in whole pages.</summary>
    public static int Rounded(int tokens) => KvPool.PagesFor(tokens) * KvPool.PageTokens;

    /// <summary>Appends rows at the pages' begin.</summary>
    public void Append(Tensor qkv) => Append(qkv, 0);

    /// <summary>Fills every page with random keys and values.</summary>
    public void AppendAll(ModelShape model)
    {
        const int Chunk = 512;
        for (int first = 0; first < _tokens; first += Chunk)
        {
            Append(_operands.Real(Math.Min(Chunk, _tokens - first), model.QkvWidth), first);
        }
    }

    /// <summary>One group over the pages: the prefix first, then each sequence's own.</summary>
    public AttentionPlan Plan(int prefix, (int Queries, int Suffix)[] sequences) => Plan([(prefix, sequences)]);

    /// <summary>Several groups over the pages, one after another.</summary>
    public AttentionPlan Plan((int Prefix, (int Queries, int Suffix)[] Sequences)[] groups)
    {
        int[] pages = [.. Enumerable.Range(0, Pool.Pages)];
        var plan = new AttentionPlan(groups.Length, groups.Sum(g => g.Sequences.Length), pages.Length);
        plan.Clear();
        int next = 0;
        foreach (var (prefix, sequences) in groups)
        {
            plan.BeginGroup(prefix, pages.AsSpan(next, KvPool.PagesFor(prefix)));
            next += KvPool.PagesFor(prefix);
            foreach (var (queries, suffix) in sequences)
            {
                plan.AddSequence(queries, suffix, pages.AsSpan(next, KvPool.PagesFor(suffix)));
                next += KvPool.PagesFor(suffix);
            }
        }

        return plan;
    }

    private void Append(Tensor qkv, int first)
    {
        var positions = _operands.Ints(1, qkv.Rows, i => (first + i) % 256);
        var slots = _operands.Ints(1, qkv.Rows, i => first + i);
        _operands.Backend.RopeAppendKv(qkv, _model.Heads, _model.KvHeads, positions, _cosine, _sine, Pool, 0, slots);
    }
}
