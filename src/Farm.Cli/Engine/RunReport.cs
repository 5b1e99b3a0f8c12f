using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Farm.Cli.Machine;
using Farm.Inference;
using Farm.Models.Llama;

namespace Farm.Cli.Engine;

/// <summary>What a run measured, for people and for machines.</summary>
/// <param name="Statistics">Tokens and times of the generation.</param>
/// <param name="DecodeRoofline">Tokens per second that this machine could reach at the run's mean batch; 0 where its limits are not known.</param>
/// <param name="Seconds">Wall time of the whole run, loading included.</param>
/// <param name="PeakBytes">Largest resident memory of the run; measuring the machine comes after it and is not in it.</param>
/// <param name="Simulated">The run was on the driver simulator: its times say nothing of a GPU and are left out.</param>
internal sealed record RunReport(RunStatistics Statistics, double DecodeRoofline, double Seconds, long PeakBytes, bool Simulated)
{
    /// <summary>Share of the roofline that decoding reached.</summary>
    public double Fraction => DecodeRoofline > 0 ? Statistics.DecodeTokensPerSecond / DecodeRoofline : 0;

    /// <summary>
    /// Ends a run: takes its time and memory, then measures the machine. Weights and products alone bound the run; its keys and values are
    /// not counted.
    /// </summary>
    /// <param name="statistics">What the run did.</param>
    /// <param name="model">The model that generated.</param>
    /// <param name="start">Timestamp of the run's begin.</param>
    public static RunReport Finish(RunStatistics statistics, LlamaModel model, long start)
    {
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        long peak = PeakMemory.Bytes();
        double batch = statistics.MeanBatch;
        double bound = batch > 0 && Backends.Measure(model.Backend) is { } limits
            ? batch / new Roofline(model.Config, model.WeightType, Backends.Bf16Activations(model.Backend), model.StepBytes, limits).DecodeStepSeconds(batch, 0, 0)
            : 0;
        return new RunReport(statistics, bound, seconds, peak, Backends.IsSimulated(model.Backend));
    }

    /// <summary>Writes the fields into an open JSON object.</summary>
    public void WriteFields(Utf8JsonWriter writer)
    {
        if (!Simulated)
        {
            writer.WriteNumber("seconds", Math.Round(Seconds, 3));
        }

        writer.WriteNumber("prompt_tokens", Statistics.PrefillTokens);
        writer.WriteNumber("new_tokens", Statistics.DecodeTokens);
        writer.WriteNumber("mean_batch_sequences", Math.Round(Statistics.MeanBatch, 2));
        if (!Simulated)
        {
            writer.WriteNumber("prefill_tokens_per_second", Math.Round(Statistics.PrefillTokensPerSecond, 2));
            writer.WriteNumber("decode_tokens_per_second", Math.Round(Statistics.DecodeTokensPerSecond, 2));
        }

        if (DecodeRoofline > 0)
        {
            writer.WriteNumber("roofline_decode_tokens_per_second", Math.Round(DecodeRoofline, 2));
            writer.WriteNumber("roofline_fraction", Math.Round(Fraction, 4));
        }

        writer.WriteNumber("peak_rss_bytes", PeakBytes);
    }

    /// <inheritdoc/>
    public override string ToString() => Simulated
        ? string.Create(CultureInfo.InvariantCulture,
            $"{Statistics.DecodeTokens} tokens at {Statistics.MeanBatch:F1} sequences a step, on the driver simulator: not yet run on a GPU, and the simulator's times mean nothing")
        : string.Create(CultureInfo.InvariantCulture,
            $"{Statistics.DecodeTokens} tokens in {Seconds:F1} s; decode {Statistics.DecodeTokensPerSecond:F1} tokens/s at {Statistics.MeanBatch:F1} sequences a step{Share}; prefill {Statistics.PrefillTokensPerSecond:F1} tokens/s; peak memory {PeakBytes / 1048576.0:F0} MiB");

    private string Share => DecodeRoofline > 0 ? string.Create(CultureInfo.InvariantCulture, $", {Fraction:P0} of this machine's roofline") : string.Empty;
}
