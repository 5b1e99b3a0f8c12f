using Farm.Core;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;

namespace Farm.Training.Data;

/// <summary>Turns rows into token sequences as AlpacaFarm does: prompt and response joined without a separator, each text tokenised on its own and cut at the right.</summary>
/// <param name="tokenizer">The model's tokenizer.</param>
/// <param name="endOfSequence">Text of the end-of-sequence token.</param>
/// <param name="prompts">Templates.</param>
/// <param name="maxLength">Most tokens of a sequence.</param>
public sealed class ExampleBuilder(ITokenizer tokenizer, string? endOfSequence, PromptDictionary prompts, int maxLength)
{
    /// <summary>Most pairs a prompt of ranking data may have; larger ones are dropped.</summary>
    public const int MostPairs = 10;

    private int _truncated;

    /// <summary>
    /// SFT: labels are the tokens after the prompt's own. A row whose prompt fills the context has no label and would have the loss 0/0; it is
    /// skipped and counted.
    /// </summary>
    /// <exception cref="BadInputException">The tokenizer has no end-of-sequence token.</exception>
    public ExampleSet Sft(IEnumerable<SftRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        string end = EndOfSequence();
        var examples = new List<TrainingExample>();
        int skipped = 0;
        _truncated = 0;
        foreach (var row in rows)
        {
            string prompt = row.ControlToken + prompts.Format(row.Instruction, row.Input);
            int promptLength = Math.Min(tokenizer.Encode(prompt).Length, maxLength);
            int[] ids = Encode(prompt + row.Output + end);
            // The token before the first label predicts it, so a label needs something in front of it.
            if (Math.Max(promptLength, 1) >= ids.Length)
            {
                skipped++;
                continue;
            }

            examples.Add(new TrainingExample([ids], Math.Max(promptLength, 1)));
        }

        return new ExampleSet(examples, skipped, _truncated);
    }

    /// <summary>Pairs, candidate 0 first. End-of-sequence is added only if asked for; AlpacaFarm's reward models are trained without.</summary>
    public ExampleSet Pairs(IEnumerable<PreferenceRow> rows, bool endSequenceWithEos = false)
    {
        ArgumentNullException.ThrowIfNull(rows);
        string end = endSequenceWithEos ? EndOfSequence() : string.Empty;
        _truncated = 0;
        List<TrainingExample> examples = [.. rows.Select(row =>
        {
            if (row.Preference is not (1 or 2))
            {
                throw new BadInputException($"{row.Place}, field 'preference': must be 1 or 2, not {row.Preference}.");
            }

            string prompt = prompts.Format(row.Instruction, row.Input);
            return new TrainingExample([Encode(prompt + row.Output1 + end), Encode(prompt + row.Output2 + end)], Target: row.Preference - 1);
        })];
        return new ExampleSet(examples, 0, _truncated);
    }

    /// <summary>
    /// DPO: the preferred response first, each built as for <see cref="Sft"/>. A pair whose prompt fills the context is skipped; AlpacaFarm's silent acceptance of other labels than 1 and 2 is not kept.
    /// </summary>
    /// <exception cref="BadInputException">A label is neither 1 nor 2, or the tokenizer has no end-of-sequence token.</exception>
    public ExampleSet PreferencePairs(IEnumerable<PreferenceRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        string end = EndOfSequence();
        var examples = new List<TrainingExample>();
        int skipped = 0;
        _truncated = 0;
        foreach (var row in rows)
        {
            if (row.Preference is not (1 or 2))
            {
                throw new BadInputException($"{row.Place}, field 'preference': must be 1 or 2, not {row.Preference}.");
            }

            string prompt = prompts.Format(row.Instruction, row.Input);
            int first = Math.Max(1, Math.Min(tokenizer.Encode(prompt).Length, maxLength));
            int[] one = Encode(prompt + row.Output1 + end), two = Encode(prompt + row.Output2 + end);
            if (first >= Math.Min(one.Length, two.Length))
            {
                skipped++;
                continue;
            }

            examples.Add(new TrainingExample(row.Preference == 1 ? [one, two] : [two, one], first));
        }

        return new ExampleSet(examples, skipped, _truncated);
    }

    /// <summary>Ratings from 1 to 7, whose target is (score - 1) / 6.</summary>
    public ExampleSet Ratings(IEnumerable<RatingRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        _truncated = 0;
        List<TrainingExample> examples = [.. rows.Select(row => row.Score is >= 1 and <= 7
            ? new TrainingExample([Encode(prompts.Format(row.Instruction, row.Input) + row.Output)], Target: (row.Score - 1) / 6)
            : throw new BadInputException(FormattableString.Invariant($"{row.Place}, field 'score': must be from 1 to 7, not {row.Score}.")))];
        return new ExampleSet(examples, 0, _truncated);
    }

    /// <summary>Rankings: one example per prompt with all its pairs, the preferred response of each first.</summary>
    public ExampleSet Rankings(IEnumerable<RankingRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        _truncated = 0;
        var examples = new List<TrainingExample>();
        int skipped = 0;
        foreach (var row in rows)
        {
            if (row.Pairs.Count is 0 or > MostPairs)
            {
                skipped++;
                continue;
            }

            examples.Add(new TrainingExample([.. row.Pairs.SelectMany(p => new[] { Encode(row.Prompt + p.Preferred), Encode(row.Prompt + p.Other) })]));
        }

        return new ExampleSet(examples, skipped, _truncated);
    }

    private int[] Encode(string text)
    {
        int[] ids = tokenizer.Encode(text);
        if (ids.Length <= maxLength)
        {
            return ids;
        }

        _truncated++;
        return ids[..maxLength];
    }

    private string EndOfSequence() =>
        endOfSequence ?? throw new BadInputException("The tokenizer names no end-of-sequence token (eos_token), with which responses must end.");
}
