namespace Farm.Training.Data;

/// <summary>A row of instruction data with the text that answers it.</summary>
/// <param name="Place">Where it came from, for messages: file and row.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">Its input, null or empty for none.</param>
/// <param name="Output">The response.</param>
/// <param name="ControlToken">Stands before the formatted prompt; empty for none.</param>
public sealed record SftRow(string Place, string Instruction, string? Input, string Output, string ControlToken = "");

/// <summary>Two responses and which is better.</summary>
/// <param name="Place">Where it came from, for messages.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">Its input.</param>
/// <param name="Output1">Response 1.</param>
/// <param name="Output2">Response 2.</param>
/// <param name="Preference">1 or 2: the better one.</param>
public sealed record PreferenceRow(string Place, string Instruction, string? Input, string Output1, string Output2, int Preference);

/// <summary>A response and its rating.</summary>
/// <param name="Place">Where it came from, for messages.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">Its input.</param>
/// <param name="Output">The response.</param>
/// <param name="Score">From 1 to 7.</param>
public sealed record RatingRow(string Place, string Instruction, string? Input, string Output, double Score);

/// <summary>A prompt with pairs of responses, in each the preferred one first.</summary>
/// <param name="Place">Where it came from, for messages.</param>
/// <param name="Prompt">The formatted prompt.</param>
/// <param name="Pairs">The pairs.</param>
public sealed record RankingRow(string Place, string Prompt, IReadOnlyList<(string Preferred, string Other)> Pairs);
