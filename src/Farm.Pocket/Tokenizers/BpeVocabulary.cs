using System.Text.Encodings.Web;
using System.Text.Json;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Pocket.Tokenizers;

/// <summary>A trained byte-level BPE.</summary>
/// <param name="Tokens">Tokens by id: special tokens, frames, bytes, merged.</param>
/// <param name="Merges">Merges by rank.</param>
/// <param name="Frames">How many texts are one token wherever they occur.</param>
public sealed record BpeVocabulary(IReadOnlyList<string> Tokens, IReadOnlyList<(string Left, string Right)> Merges, int Frames = 0)
{
    private static readonly JsonWriterOptions s_json = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes tokenizer.json, with BOS in front of every text, and tokenizer_config.json, as Hugging Face tokenizers have them.</summary>
    /// <param name="folder">The folder, made if need be.</param>
    /// <param name="modelMaxLength">The model's context in tokens.</param>
    /// <exception cref="BadInputException">The files cannot be written.</exception>
    public void Save(string folder, int modelMaxLength)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Write(Path.Combine(folder, "tokenizer.json"), WriteTokenizer);
        Write(Path.Combine(folder, "tokenizer_config.json"), json =>
        {
            json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
            json.WriteString("bos_token", BpeTrainer.SpecialTokens[1]);
            json.WriteString("eos_token", BpeTrainer.SpecialTokens[2]);
            json.WriteString("pad_token", BpeTrainer.SpecialTokens[0]);
            json.WriteNumber("model_max_length", modelMaxLength);
            json.WriteBoolean("clean_up_tokenization_spaces", false);
        });
    }

    private static void Write(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, 0, stream =>
    {
        using var json = new Utf8JsonWriter(stream, s_json);
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
    });

    private void WriteTokenizer(Utf8JsonWriter json)
    {
        string bos = BpeTrainer.SpecialTokens[1];
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < BpeTrainer.SpecialTokens.Count + Frames; id++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", Tokens[id]);
            foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" })
            {
                json.WriteBoolean(flag, false);
            }

            json.WriteBoolean("special", id < BpeTrainer.SpecialTokens.Count);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        WriteByteLevel(json, "pre_tokenizer");
        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        json.WriteStartArray("single");
        WritePiece(json, "SpecialToken", bos, 0);
        WritePiece(json, "Sequence", "A", 0);
        json.WriteEndArray();
        json.WriteStartArray("pair");
        WritePiece(json, "SpecialToken", bos, 0);
        WritePiece(json, "Sequence", "A", 0);
        WritePiece(json, "SpecialToken", bos, 1);
        WritePiece(json, "Sequence", "B", 1);
        json.WriteEndArray();
        json.WriteStartObject("special_tokens");
        json.WriteStartObject(bos);
        json.WriteString("id", bos);
        json.WriteStartArray("ids");
        json.WriteNumberValue(1);
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        json.WriteStringValue(bos);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        WriteByteLevel(json, "decoder");
        WriteModel(json);
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (string name in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" })
        {
            json.WriteNull(name);
        }

        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        for (int id = 0; id < Tokens.Count; id++)
        {
            json.WriteNumber(Tokens[id], id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in Merges)
        {
            json.WriteStringValue($"{left} {right}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject(name);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }

    private static void WritePiece(Utf8JsonWriter json, string type, string id, int typeId)
    {
        json.WriteStartObject();
        json.WriteStartObject(type);
        json.WriteString("id", id);
        json.WriteNumber("type_id", typeId);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
