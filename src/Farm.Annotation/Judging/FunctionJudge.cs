using System.Globalization;
using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Annotation.Parsing;

namespace Farm.Annotation.Judging;

/// <summary>A judge that is a function: a rule, a simulation, a reward model.</summary>
/// <param name="name">The name, as it goes into files.</param>
/// <param name="prefer">1 to 2 for a pair in the order in which it is shown.</param>
/// <param name="identity">What tells it from other functions of the same name.</param>
public sealed class FunctionJudge(string name, Func<ShownPair, CancellationToken, ValueTask<double>> prefer, string identity = "") : IPairwiseJudge
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public string Identity => $"function:{name}:{identity}";

    /// <inheritdoc/>
    public bool IsRandomizeOutputOrder { get; init; } = true;

    /// <inheritdoc/>
    public JudgeRequest Prepare(IReadOnlyList<ShownPair> pairs) => new(pairs, "null");

    /// <inheritdoc/>
    public async Task<JudgeReply> AskAsync(JudgeRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        try
        {
            double preference = await prefer(request.Pairs[0], cancellationToken).ConfigureAwait(false);
            return new JudgeReply { Raw = JsonRow.Value(preference.ToString("R", CultureInfo.InvariantCulture)), Price = 0, TotalTokens = 0 };
        }
        catch (Exception e) when (e is not (OperationCanceledException or Farm.Core.BadInputException))
        {
            return new JudgeReply { Failure = new JudgeFailure(FailureReason.JudgeError, $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}") };
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<Verdict> Read(JsonElement raw, int pairs)
    {
        bool isNumber = double.TryParse(raw.ValueKind == JsonValueKind.String ? raw.GetString() : raw.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture, out double value);
        return [isNumber && value is >= 1 and <= 2
            ? new Verdict(value)
            : new Verdict(null, new JudgeFailure(isNumber && !double.IsNaN(value) ? FailureReason.OutOfRange : FailureReason.NotANumber, $"the judge said {raw}"))];
    }
}
