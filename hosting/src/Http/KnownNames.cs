using System;

namespace Ancm.Hosting.Http
{
    /// <summary>The names of fields that most requests have: one text for each, in its usual case.</summary>
    internal static class KnownNames
    {
        private static readonly string[] _names =
        {
            "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers",
            "Access-Control-Request-Method", "Authorization", "Cache-Control", "Connection", "Content-Encoding",
            "Content-Language", "Content-Length", "Content-Type", "Cookie", "Date", "DNT", "Expect", "From", "Host",
            "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Keep-Alive",
            "Max-Forwards", "Origin", "Pragma", "Proxy-Authorization", "Range", "Referer", "Request-Id",
            "Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "TE",
            "traceparent", "tracestate", "Trailer", "Transfer-Encoding", "Translate", "Upgrade",
            "Upgrade-Insecure-Requests", "User-Agent", "Via", "Warning", "X-Forwarded-For", "X-Forwarded-Host",
            "X-Forwarded-Proto", "X-Requested-With",
        };

        private static readonly string?[] _table = Table();

        /// <summary>The text of a name, or null where it is not known.</summary>
        public static string? Find(ReadOnlySpan<byte> name)
        {
            if (name.Length == 0)
            {
                return null;
            }
            for (var place = Place(name.Length, name[0], name[^1]); _table[place] is string known; place = Next(place))
            {
                if (Spells(name, known))
                {
                    return known;
                }
            }
            return null;
        }

        /// <summary>Whether the bytes spell the name in any case.</summary>
        public static bool Spells(ReadOnlySpan<byte> name, string known)
        {
            if (name.Length != known.Length)
            {
                return false;
            }
            for (var index = 0; index < name.Length; index++)
            {
                if (name[index] != known[index] && (!IsLetter(known[index]) || (name[index] ^ known[index]) != 0x20))
                {
                    return false;
                }
            }
            return true;
        }

        private static bool IsLetter(char character) => (uint)((character | 0x20) - 'a') < 26;

        private static int Place(int length, int first, int last) =>
            ((length * 7) + ((first | 0x20) * 31) + ((last | 0x20) * 17)) & 255;

        private static int Next(int place) => (place + 1) & 255;

        private static string?[] Table()
        {
            var table = new string?[256];
            foreach (var name in _names)
            {
                var place = Place(name.Length, name[0], name[^1]);
                while (table[place] != null)
                {
                    place = Next(place);
                }
                table[place] = name;
            }
            return table;
        }
    }
}
