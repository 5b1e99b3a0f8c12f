using Farm.Core;

namespace Farm.Conformance;

/// <summary>Every training operation at sizes that several threads share; each gives all that it wrote.</summary>
internal static class TrainingOperations
{
    private const int T = 130, C = 200, Wide = 150, Vocabulary = 1000, Heads = 4, KvHeads = 2, HeadDim = 24;

    public delegate float[] TrainingOperation(ITrainingBackend backend, int version);

    public static IReadOnlyDictionary<string, TrainingOperation> All { get; } = new Dictionary<string, TrainingOperation>
    {
        ["MatMul"] = (b, version) => MatMul(b, version, false, false),
        ["MatMul a turned"] = (b, version) => MatMul(b, version, true, false),
        ["MatMul b turned"] = (b, version) => MatMul(b, version, false, true),
        ["MatMul both turned"] = (b, version) => MatMul(b, version, true, true),
        ["AddBias"] = (b, version) => With(b, m =>
        {
            var x = Data(m, T, C, version);
            b.AddBias(Data(m, 1, C, version + 1), x);
            return [x];
        }),
        ["SumRows"] = (b, version) => With(b, m =>
        {
            var sum = Data(m, 1, C, version + 1);
            b.SumRows(Data(m, T, C, version), sum);
            return [sum];
        }),
        ["Scale"] = (b, version) => With(b, m =>
        {
            var x = Data(m, T, C, version + 1);
            b.Scale(Data(m, T, C, version), 0.3f, x, true);
            return [x];
        }),
        ["RmsNormBackward"] = (b, version) => With(b, m =>
        {
            Tensor dx = Data(m, T, C, version), dw = Data(m, 1, C, version);
            b.RmsNormBackward(Data(m, T, C, version + 1), Data(m, 1, C, 2), 1e-5f, Data(m, T, C, version + 3), dx, dw);
            return [dx, dw];
        }),
        ["RopeBackward"] = (b, version) => With(b, m =>
        {
            var g = Data(m, T, (Heads + (2 * KvHeads)) * HeadDim, version);
            b.RopeBackward(g, Heads, KvHeads, m.Ints(1, T, TestData.Permutation(1, T)), Data(m, T, HeadDim / 2, 1), Data(m, T, HeadDim / 2, 2));
            return [g];
        }),
        ["Attention and backward"] = Attention,
        ["SwiGlu and backward"] = (b, version) => With(b, m =>
        {
            Tensor gateUp = Data(m, T, 2 * C, version), y = m.Real(T, C), gradient = m.Real(T, 2 * C);
            b.SwiGlu(gateUp, y);
            b.SwiGluBackward(gateUp, Data(m, T, C, version + 1), gradient);
            return [y, gradient];
        }),
        ["EmbeddingBackward"] = (b, version) => With(b, m =>
        {
            var table = Data(m, 33, C, version);
            b.EmbeddingBackward(m.Ints(1, T, TestData.Integers(version, T, 20)), Data(m, T, C, version + 1), table);
            return [table];
        }),
        ["LinearCrossEntropy"] = (b, version) => With(b, m =>
        {
            Tensor losses = m.Real(1, T), dh = m.Real(T, 64), dw = Data(m, Vocabulary, 64, version);
            int[] labels = [.. TestData.Integers(version, T, Vocabulary).Select((l, t) => t % 5 == 0 ? -100 : l)];
            b.LinearCrossEntropy(Data(m, T, 64, version + 1), Data(m, Vocabulary, 64, 5), m.Ints(1, T, labels), Data(m, 1, T, 6), losses, dh, dw);
            return [losses, dh, dw];
        }),
        ["AdamW"] = (b, version) => With(b, m =>
        {
            Tensor p = Data(m, T, C, version), first = Data(m, T, C, version + 1), second = m.Real(T, C);
            b.AdamW(p, Data(m, T, C, version + 2), first, second, new AdamWStep(3, 0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.7f));
            return [p, first, second];
        }),
        ["SumOfSquares"] = (b, version) =>
        {
            using var m = new Operands(b);
            long bits = BitConverter.DoubleToInt64Bits(b.SumOfSquares(Data(m, T * 7, C, version)));
            return [BitConverter.Int32BitsToSingle((int)(bits >> 32)), BitConverter.Int32BitsToSingle((int)bits)];
        },
    };

    private static float[] MatMul(ITrainingBackend b, int version, bool transposeA, bool transposeB) => With(b, m =>
    {
        var c = Data(m, T, Wide, 3);
        b.MatMul(transposeA ? Data(m, C, T, version) : Data(m, T, C, version), transposeA,
            transposeB ? Data(m, Wide, C, version + 1) : Data(m, C, Wide, version + 1), transposeB, c, true);
        return [c];
    });

    private static float[] Attention(ITrainingBackend b, int version) => With(b, m =>
    {
        const int Width = (Heads + (2 * KvHeads)) * HeadDim;
        Tensor qkv = Data(m, T, Width, version), starts = m.Ints(1, 5, [0, 1, 18, 30, T]);
        Tensor y = m.Real(T, Heads * HeadDim), lse = m.Real(T, Heads), gradient = m.Real(T, Width);
        b.AttentionTrain(qkv, Heads, KvHeads, starts, 0.2f, y, lse);
        b.AttentionBackward(qkv, Heads, KvHeads, starts, 0.2f, y, lse, Data(m, T, Heads * HeadDim, version + 1), gradient);
        return [y, lse, gradient];
    });

    private static Tensor Data(Operands m, int rows, int columns, int seed) => m.Real(rows, columns, TestData.Normal(seed, rows * columns));

    private static float[] With(ITrainingBackend backend, Func<Operands, Tensor[]> run)
    {
        using var m = new Operands(backend);
        return [.. run(m).SelectMany(m.Read)];
    }
}
