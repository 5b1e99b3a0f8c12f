using System.Text.Json;

namespace Farm.Cli.Data;

/// <summary>One row of an input file.</summary>
/// <param name="Number">Its place in the file, counted from 1, for messages.</param>
/// <param name="Instruction">The instruction, not empty.</param>
/// <param name="Input">The input that goes with it; null or empty where there is none.</param>
/// <param name="Outputs">The texts of the field <c>output</c>: none, one, or as many as its list has.</param>
/// <param name="OutputIsList">True where <c>output</c> is a list in the file.</param>
/// <param name="Fields">The whole row as it was read.</param>
internal sealed record InstructionRow(int Number, string Instruction, string? Input, IReadOnlyList<string> Outputs, bool OutputIsList, JsonElement Fields);
