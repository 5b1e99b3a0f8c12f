using System.Text;

namespace Farm.Models.Tokenizers.Unicode;

/// <summary>
/// The four Unicode normalisation forms (UAX #15) on own data. <see cref="string.Normalize()"/> cannot be used: with globalization-invariant
/// mode on, it returns text beyond ASCII unchanged.
/// </summary>
internal static class UnicodeNormalizer
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28, SCount = LCount * VCount * TCount;

    /// <summary>The text in the given form; the same instance if nothing changes at a glance.</summary>
    public static string Normalize(string text, NormalizationForm form)
    {
        // Nothing below U+0300 changes under NFC, nothing below U+00A0 under any form.
        var safe = form == NormalizationForm.FormC ? '\u02FF' : '\u009F';
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', safe))
        {
            return text;
        }

        var data = NormalizationData.Instance;
        var compatible = form is NormalizationForm.FormKC or NormalizationForm.FormKD;
        var points = new List<(int Point, byte Class)>(text.Length + 8);
        foreach (var rune in text.EnumerateRunes())
        {
            Decompose(data, rune.Value, compatible, points);
        }

        Reorder(points);
        if (form is NormalizationForm.FormC or NormalizationForm.FormKC)
        {
            Compose(data, points);
        }

        var builder = new StringBuilder(points.Count);
        foreach (var (point, _) in points)
        {
            builder.Append(new Rune(point).ToString());
        }

        return builder.ToString();
    }

    private static void Decompose(NormalizationData data, int point, bool compatible, List<(int Point, byte Class)> output)
    {
        var index = point - SBase;
        if (index is >= 0 and < SCount)
        {
            output.Add((LBase + (index / (VCount * TCount)), 0));
            output.Add((VBase + (index % (VCount * TCount) / TCount), 0));
            if (index % TCount != 0)
            {
                output.Add((TBase + (index % TCount), 0));
            }
        }
        else if (data.TryDecompose(point, compatible, out var parts))
        {
            foreach (var part in parts)
            {
                Decompose(data, part, compatible, output);
            }
        }
        else
        {
            output.Add((point, data.ClassOf(point)));
        }
    }

    private static void Reorder(List<(int Point, byte Class)> points)
    {
        for (var start = 0; start < points.Count;)
        {
            if (points[start].Class == 0)
            {
                start++;
                continue;
            }

            var end = start;
            while (end < points.Count && points[end].Class != 0)
            {
                end++;
            }

            // The order of marks of equal class must stay: OrderBy is stable.
            if (end - start > 1)
            {
                var sorted = points.GetRange(start, end - start).OrderBy(p => p.Class).ToList();
                for (var i = 0; i < sorted.Count; i++)
                {
                    points[start + i] = sorted[i];
                }
            }

            start = end;
        }
    }

    private static void Compose(NormalizationData data, List<(int Point, byte Class)> points)
    {
        var starter = -1;
        var write = 0;
        var lastClass = -1;
        foreach (var (point, combining) in points.ToArray())
        {
            if (starter >= 0 && lastClass < combining && TryCompose(data, points[starter].Point, point, out var composed))
            {
                points[starter] = (composed, 0);
                continue;
            }

            if (combining == 0)
            {
                starter = write;
                lastClass = -1;
            }
            else
            {
                lastClass = combining;
            }

            points[write++] = (point, combining);
        }

        points.RemoveRange(write, points.Count - write);
    }

    private static bool TryCompose(NormalizationData data, int first, int second, out int composed)
    {
        if (first is >= LBase and < LBase + LCount && second is >= VBase and < VBase + VCount)
        {
            composed = SBase + ((((first - LBase) * VCount) + second - VBase) * TCount);
            return true;
        }

        if (first is >= SBase and < SBase + SCount && (first - SBase) % TCount == 0 && second is > TBase and < TBase + TCount)
        {
            composed = first + second - TBase;
            return true;
        }

        return data.TryCompose(first, second, out composed);
    }
}
