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

        private readonly string?[] _values = new string?[RememberedFields];

        /// <summary>Adds all to the list. Cookies that HTTP/2 split are joined again (RFC 9113, 8.2.3).</summary>
        public void AddTo(FieldList list, ReadOnlySpan<Field> fields, bool joinsCookies)
        {
            for (var index = 0; index < fields.Length; index++)
            {
                var name = KnownNames.Text(fields[index].Name);
                var value = ValueOf(index, fields[index].Value);
                if (joinsCookies && name == "Cookie" && list.TryGetValue(name, out var cookies))
                {
                    list[name] = cookies + "; " + value;
                }
                else
                {
                    list.AddReceived(name, value);
                }
            }
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
