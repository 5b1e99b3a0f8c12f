using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Farm.Cli.Output;

/// <summary>What decides the results of a run, so that a journal is only gone on with by the run that began it.</summary>
internal static class Fingerprint
{
    private const int EdgeBytes = 1 << 16;

    /// <summary>SHA-256 of texts in order, each set off from the next.</summary>
    public static string OfTexts(IEnumerable<string> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string text in texts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>
    /// The name a model folder was given by, and a digest of its files: of each the length and the first and last 64 KiB, so that
    /// gigabytes are not read for it.
    /// </summary>
    public static JsonObject OfModel(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[EdgeBytes];
        foreach (string file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            hash.AppendData(Encoding.UTF8.GetBytes($"{Path.GetFileName(file)}\n{stream.Length}\n"));
            Append(hash, stream, buffer);
            if (stream.Length > EdgeBytes)
            {
                stream.Position = Math.Max(EdgeBytes, stream.Length - EdgeBytes);
                Append(hash, stream, buffer);
            }
        }

        return new JsonObject { ["name"] = folder, ["sha256"] = Convert.ToHexStringLower(hash.GetHashAndReset()) };
    }

    private static void Append(IncrementalHash hash, FileStream stream, byte[] buffer)
    {
        int read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        hash.AppendData(buffer.AsSpan(0, read));
    }
}
