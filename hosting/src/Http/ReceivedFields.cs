using System;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Turns received fields into text. The requests of one context often come from one client, so each field is compared with
    /// the one at its place in the request before: an equal one needs no new text.
    /// </summary>
    internal sealed class ReceivedFields
    {
        private const int RememberedFields = 24;
        private const int RememberedLength = 256;

        private readonly string?[] _names = new string?[RememberedFields];
        private readonly string?[] _values = new string?[RememberedFields];

        /// <summary>Adds all to the list. Cookies that HTTP/2 split are joined again (RFC 9113, 8.2.3).</summary>
        public void AddTo(FieldList list, ReadOnlySpan<Field> fields, bool isHttp2)
        {
            for (var index = 0; index < fields.Length; index++)
            {
                var name = NameOf(index, fields[index].Name, isHttp2);
                var value = ValueOf(index, fields[index].Value);
                if (isHttp2 && name == "Cookie" && list.TryGetValue(name, out var cookies))
                {
                    list[name] = cookies + "; " + value;
                }
                else
                {
                    list.AddReceived(name, value);
                }
            }
        }

        /// <summary>
        /// Names come in lower case, as HTTP/2 has them. Over HTTP/1.1 most clients write each word with a capital, and
        /// some apps expect it.
        /// </summary>
        public static string Name(ReadOnlySpan<byte> bytes, bool isHttp2)
        {
            if (KnownNames.Find(bytes) is string known)
            {
                return known;
            }
            var text = Ascii.Text(bytes);
            return isHttp2 ? text : Capitalised(text);
        }

        private static string Capitalised(string name) => string.Create(name.Length, name, (text, source) =>
        {
            var isFirst = true;
            for (var index = 0; index < text.Length; index++)
            {
                var character = source[index];
                text[index] = isFirst && character >= 'a' && character <= 'z' ? (char)(character - 0x20) : character;
                isFirst = character == '-';
            }
        });

        private string NameOf(int index, ReadOnlySpan<byte> bytes, bool isHttp2)
        {
            if (index >= RememberedFields || bytes.Length > RememberedLength)
            {
                return Name(bytes, isHttp2);
            }
            if (_names[index] is string before &&
                (isHttp2 ? Ascii.Spells(bytes, before) : KnownNames.Spells(bytes, before)))
            {
                return before;
            }
            return _names[index] = Name(bytes, isHttp2);
        }

        private string ValueOf(int index, ReadOnlySpan<byte> bytes)
        {
            if (index >= RememberedFields || bytes.Length > RememberedLength)
            {
                return Ascii.Text(bytes);
            }
            if (_values[index] is string before && Ascii.Spells(bytes, before))
            {
                return before;
            }
            return _values[index] = Ascii.Text(bytes);
        }
    }
}
