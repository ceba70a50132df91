using System;
using System.Buffers;
using System.Text;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The path that the app sees: percent-encodings of whole UTF-8 characters are decoded, but for <c>%2F</c>; what is no UTF-8
    /// stays as it came; then dot segments go (RFC 3986, 5.2.4). The same as Kestrel's, rule by rule.
    /// </summary>
    internal static class TargetPath
    {
        private const int LargestOnStack = 512;

        public static string Decode(ReadOnlySpan<byte> path)
        {
            if (path.IsEmpty)
            {
                return "/";
            }
            if (!Ascii.IsAll(path))
            {
                throw BadRequests.Malformed("a path with octets that are not ASCII");
            }
            if (path.IndexOf((byte)'%') < 0 && !HasDots(path))
            {
                return Encoding.ASCII.GetString(path);
            }
            var rented = path.Length > LargestOnStack ? ArrayPool<byte>.Shared.Rent(path.Length) : null;
            var buffer = rented ?? stackalloc byte[LargestOnStack];
            var decoded = buffer.Slice(0, Unescape(path, buffer));
            var text = Encoding.UTF8.GetString(decoded.Slice(0, RemoveDotSegments(decoded)));
            if (rented != null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
            return text;
        }

        /// <summary>Segments that begin with a dot may be dot segments.</summary>
        private static bool HasDots(ReadOnlySpan<byte> path)
        {
            ReadOnlySpan<byte> beginning = new[] { (byte)'/', (byte)'.' };
            return path.IndexOf(beginning) >= 0;
        }

        /// <summary>The target is never longer than the source.</summary>
        private static int Unescape(ReadOnlySpan<byte> source, Span<byte> target)
        {
            Span<byte> character = stackalloc byte[4];
            var written = 0;
            while (!source.IsEmpty)
            {
                var octets = UnescapeCharacter(source, character);
                if (octets == 0)
                {
                    target[written++] = source[0];
                    source = source.Slice(1);
                }
                else
                {
                    character.Slice(0, octets).CopyTo(target.Slice(written));
                    written += octets;
                    source = source.Slice(3 * octets);
                }
            }
            return written;
        }

        /// <summary>The octets of the character that is percent-encoded at the beginning; 0 where there is none.</summary>
        private static int UnescapeCharacter(ReadOnlySpan<byte> source, Span<byte> character)
        {
            var octets = 0;
            while (octets < character.Length && UnescapeOctet(source.Slice(3 * octets), out character[octets]))
            {
                octets++;
            }
            if (octets == 0)
            {
                return 0;
            }
            if (character[0] == 0)
            {
                throw BadRequests.Malformed("a path with a null character");
            }
            var status = Rune.DecodeFromUtf8(character.Slice(0, octets), out _, out var length);
            return status == OperationStatus.Done ? length : 0;
        }

        /// <summary>A slash is not decoded: it would make two segments of one.</summary>
        private static bool UnescapeOctet(ReadOnlySpan<byte> source, out byte octet)
        {
            octet = 0;
            if (source.Length < 3 || source[0] != '%')
            {
                return false;
            }
            var high = HexDigit(source[1]);
            var low = HexDigit(source[2]);
            octet = (byte)((high << 4) | low);
            return high >= 0 && low >= 0 && octet != '/';
        }

        private static int HexDigit(byte character)
        {
            if (character >= '0' && character <= '9')
            {
                return character - '0';
            }
            var letter = (character | 0x20) - 'a';
            return (uint)letter < 6 ? letter + 10 : -1;
        }

        /// <summary>In place. Empty segments count as segments.</summary>
        private static int RemoveDotSegments(Span<byte> path)
        {
            var written = 0;
            var read = 0;
            while (read < path.Length)
            {
                var rest = path.Slice(read + 1);
                var length = rest.IndexOf((byte)'/');
                var isLast = length < 0;
                var segment = isLast ? rest : rest.Slice(0, length);
                read += 1 + segment.Length;
                if (IsDots(segment))
                {
                    if (segment.Length == 2)
                    {
                        written = Math.Max(path.Slice(0, written).LastIndexOf((byte)'/'), 0);
                    }
                    if (isLast)
                    {
                        path[written++] = (byte)'/';
                    }
                }
                else
                {
                    path[written++] = (byte)'/';
                    segment.CopyTo(path.Slice(written));
                    written += segment.Length;
                }
            }
            return written;
        }

        private static bool IsDots(ReadOnlySpan<byte> segment) =>
            (segment.Length == 1 || segment.Length == 2) && segment[0] == '.' && segment[segment.Length - 1] == '.';
    }
}
