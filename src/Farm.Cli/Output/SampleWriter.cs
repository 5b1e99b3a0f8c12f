using System.Text.Json;
using Farm.Inference;

namespace Farm.Cli.Output;

/// <summary>A sample as JSON.</summary>
internal static class SampleWriter
{
    /// <summary>A sample of a result row: its text, how it was scored and placed, and how it came about.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="sample">The sample.</param>
    /// <param name="text">Its text.</param>
    /// <param name="score">Its reward, null where there is none.</param>
    /// <param name="rank">1 for the best, null where there is no score.</param>
    public static void WriteDetail(Utf8JsonWriter writer, SampleResult sample, string? text, float? score = null, int? rank = null)
    {
        writer.WriteStartObject();
        writer.WriteString("text", text);
        if (score is { } reward)
        {
            writer.WriteNumber("score", reward);
        }

        if (rank is { } place)
        {
            writer.WriteNumber("rank", place);
        }

        writer.WriteNumber("num_tokens", sample.TokenIds.Length);
        writer.WriteString("finish_reason", sample.FinishReason.Name());
        writer.WriteNumber("logprob_sum", sample.LogProbSum);
        writer.WriteEndObject();
    }

    /// <summary>A sample on a line of its own, with its tokens.</summary>
    public static void WriteLine(Utf8JsonWriter writer, int promptIndex, SampleResult sample)
    {
        writer.WriteStartObject();
        writer.WriteNumber("prompt_index", promptIndex);
        writer.WriteNumber("sample_index", sample.SampleIndex);
        writer.WriteStartArray("token_ids");
        foreach (int id in sample.TokenIds)
        {
            writer.WriteNumberValue(id);
        }

        writer.WriteEndArray();
        writer.WriteString("text", sample.Text);
        writer.WriteString("finish_reason", sample.FinishReason.Name());
        writer.WriteNumber("logprob_sum", sample.LogProbSum);
        writer.WriteStartArray("logprobs");
        foreach (float value in sample.LogProbs)
        {
            writer.WriteNumberValue(value);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
