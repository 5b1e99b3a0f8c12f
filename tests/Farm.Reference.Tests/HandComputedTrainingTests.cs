using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>Training operations of the reference against numbers worked out on paper, or against its inference.</summary>
public sealed class HandComputedTrainingTests : IDisposable
{
    private readonly HandBackend _hand = new();

    public void Dispose() => _hand.Dispose();

    [Fact]
    public void MatMul_turns_either_operand()
    {
        // a = [1 2; 3 4; 5 6] and b = [1 0 2; 0 1 3].
        Tensor a = _hand.Real(3, 1, 2, 3, 4, 5, 6), b = _hand.Real(2, 1, 0, 2, 0, 1, 3), aTurned = _hand.Real(2, 1, 3, 5, 2, 4, 6);
        Tensor bTurned = _hand.Real(3, 1, 0, 0, 1, 2, 3), c = _hand.Output(3, 3);
        float[] product = [1, 2, 8, 3, 4, 18, 5, 6, 28];
        foreach (var (left, turnLeft) in new[] { (a, false), (aTurned, true) })
        {
            foreach (var (right, turnRight) in new[] { (b, false), (bTurned, true) })
            {
                _hand.Ops.MatMul(left, turnLeft, right, turnRight, c);
                Assert.Equal(product, _hand.Read(c));
                _hand.Ops.MatMul(left, turnLeft, right, turnRight, c, true);
                Assert.Equal(product.Select(x => 2 * x), _hand.Read(c));
            }
        }
    }

    [Fact]
    public void AdamW_of_two_steps()
    {
        // b1 = b2 = 1/2, no epsilon. Step 1: m = g/2, v = g^2/2, corrected g and g^2: direction 1. 4 - 0.5 (0.25 * 4 + 1) = 3.
        Tensor p = _hand.Real(1, 4), m = _hand.Real(1, 0), v = _hand.Real(1, 0);
        _hand.Ops.AdamW(p, _hand.Real(1, 6), m, v, new AdamWStep(1, 0.5f, 0.5f, 0.5f, 0, 0.25f, 0.5f));
        Assert.Equal((3f, 1.5f, 4.5f), (_hand.Read(p)[0], _hand.Read(m)[0], _hand.Read(v)[0]));

        // Step 2, g = 0: m = 0.75, v = 2.25, corrected by 3/4 to 1 and 3: direction 1 / sqrt 3.
        _hand.Ops.AdamW(p, _hand.Real(1, 0), m, v, new AdamWStep(2, 0.5f, 0.5f, 0.5f, 0, 0.25f, 0.5f));
        Assert.Equal((0.75f, 2.25f), (_hand.Read(m)[0], _hand.Read(v)[0]));
        Assert.Equal(3 - (0.5 * ((0.25 * 3) + (1 / Math.Sqrt(3)))), _hand.Read(p)[0], 1e-6);
    }

    [Fact]
    public void Cross_entropy_of_two_even_logits()
    {
        Tensor hidden = _hand.Real(1, 2), weight = _hand.Real(2, 3, 3), losses = _hand.Output(1, 1), dh = _hand.Output(1, 1);
        Tensor dw = _hand.Real(2, 10, 20);
        _hand.Ops.LinearCrossEntropy(hidden, weight, _hand.Ints(1, 1), _hand.Real(1, 4), losses, dh, dw);
        Assert.Equal(Math.Log(2), _hand.Read(losses)[0], 1e-7);
        Assert.Equal(0, _hand.Read(dh)[0], 1e-12);
        Assert.Equal([14f, 16f], _hand.Read(dw));
    }

    [Fact]
    public void Sum_of_squares_of_three_and_four() => Assert.Equal(25, _hand.Ops.SumOfSquares(_hand.Real(1, 3, -4)));

    [Fact]
    public void Attention_in_training_is_attention_in_inference()
    {
        const int T = 70, Heads = 4, KvHeads = 2, HeadDim = 6, Width = (Heads + (2 * KvHeads)) * HeadDim;
        Tensor qkv = _hand.Real(T, TestData.Normal(1, T * Width)), output = _hand.Output(T, Heads * HeadDim), lse = _hand.Output(T, Heads);
        _hand.Ops.AttentionTrain(qkv, Heads, KvHeads, _hand.Ints(1, 0, T), 0.4f, output, lse);

        // The same tokens, not turned, in a pool.
        using var pool = _hand.Ops.CreateKvPool(new KvShape(1, KvHeads, HeadDim, DType.F32), KvPool.PagesFor(T));
        Tensor zeros = _hand.Ints(1, new int[T]), slots = _hand.Ints(1, [.. Enumerable.Range(0, T)]);
        _hand.Ops.RopeAppendKv(qkv, Heads, KvHeads, zeros, _hand.Real(1, 1, 1, 1), _hand.Real(1, 0, 0, 0), pool, 0, slots);
        var plan = new AttentionPlan(1, T, KvPool.PagesFor(T));
        plan.Clear();
        plan.BeginGroup(0, []);
        plan.AddSequence(T, T, [.. Enumerable.Range(0, KvPool.PagesFor(T))]);
        Tensor inference = _hand.Output(T, Heads * HeadDim);
        _hand.Ops.Attention(qkv.SliceColumns(0, Heads * HeadDim), Heads, pool, 0, plan, 0.4f, inference);
        Assert.Equal(_hand.Read(inference), _hand.Read(output));
    }
}
