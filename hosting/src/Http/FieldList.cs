using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The fields of a message, in their order and with the names as they were written. A message has few of them,
    /// so they are looked for one after the other; the list is used again for the next message.
    /// </summary>
    internal sealed class FieldList : IHeaderDictionary
    {
        private const string ContentLengthName = "Content-Length";

        private readonly bool _validates;
        private string[] _names = new string[16];
        private StringValues[] _values = new StringValues[16];

        /// <param name="validates">Whether names and values are checked: what the app writes goes on the wire.</param>
        public FieldList(bool validates) => _validates = validates;

        public int Count { get; private set; }

        public bool IsReadOnly { get; private set; }

        public ICollection<string> Keys => new ArraySegment<string>(_names, 0, Count);

        public ICollection<StringValues> Values => new ArraySegment<StringValues>(_values, 0, Count);

        public long? ContentLength
        {
            get => ParseLength(this[ContentLengthName], out var length) ? length : (long?)null;
            set
            {
                if (value is long length)
                {
                    if (length < 0)
                    {
                        throw new ArgumentOutOfRangeException(nameof(value), length, "A length is not negative.");
                    }
                    this[ContentLengthName] = Decimal.Text(length);
                }
                else
                {
                    Remove(ContentLengthName);
                }
            }
        }

        /// <summary>Empty where the field is missing; setting that removes it.</summary>
        public StringValues this[string key]
        {
            get
            {
                var index = IndexOf(key);
                return index < 0 ? StringValues.Empty : _values[index];
            }
            set
            {
                ThrowIfReadOnly();
                if (value.Count == 0)
                {
                    Remove(key);
                    return;
                }
                Validate(key, value);
                var index = IndexOf(key);
                if (index < 0)
                {
                    Append(key, value);
                }
                else
                {
                    _values[index] = value;
                }
            }
        }

        StringValues IDictionary<string, StringValues>.this[string key]
        {
            get => TryGetValue(key, out var value)
                ? value
                : throw new KeyNotFoundException($"There is no field `{key}`.");
            set => this[key] = value;
        }

        public string NameAt(int index) => _names[index];

        public ref readonly StringValues ValueAt(int index) => ref _values[index];

        public void Seal() => IsReadOnly = true;

        /// <summary>Empties the list for the next message.</summary>
        public void Reset()
        {
            Array.Clear(_values, 0, Count);
            Count = 0;
            IsReadOnly = false;
        }

        /// <summary>Adds what came from the wire: a name that is there already gets one value more.</summary>
        public void AddReceived(string name, string value)
        {
            var index = IndexOf(name);
            if (index < 0)
            {
                Append(name, value);
            }
            else
            {
                _values[index] = StringValues.Concat(_values[index], value);
            }
        }

        public void Add(string key, StringValues value)
        {
            ThrowIfReadOnly();
            if (ContainsKey(key))
            {
                throw new ArgumentException($"There is a field `{key}` already.", nameof(key));
            }
            if (value.Count > 0)
            {
                Validate(key, value);
                Append(key, value);
            }
        }

        public void Add(KeyValuePair<string, StringValues> item) => Add(item.Key, item.Value);

        public void Clear()
        {
            ThrowIfReadOnly();
            Reset();
        }

        public bool Contains(KeyValuePair<string, StringValues> item) =>
            TryGetValue(item.Key, out var value) && value == item.Value;

        public bool ContainsKey(string key) => IndexOf(key) >= 0;

        public void CopyTo(KeyValuePair<string, StringValues>[] array, int arrayIndex)
        {
            foreach (var field in this)
            {
                array[arrayIndex++] = field;
            }
        }

        public bool Remove(string key)
        {
            ThrowIfReadOnly();
            var index = IndexOf(key);
            if (index < 0)
            {
                return false;
            }
            Count--;
            Array.Copy(_names, index + 1, _names, index, Count - index);
            Array.Copy(_values, index + 1, _values, index, Count - index);
            _values[Count] = default;
            return true;
        }

        public bool Remove(KeyValuePair<string, StringValues> item) => Contains(item) && Remove(item.Key);

        public bool TryGetValue(string key, out StringValues value)
        {
            var index = IndexOf(key);
            value = index < 0 ? default : _values[index];
            return index >= 0;
        }

        public IEnumerator<KeyValuePair<string, StringValues>> GetEnumerator()
        {
            for (var index = 0; index < Count; index++)
            {
                yield return new KeyValuePair<string, StringValues>(_names[index], _values[index]);
            }
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        private static bool ParseLength(in StringValues value, out long length)
        {
            length = 0;
            return value.Count == 1 &&
                long.TryParse(value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out length);
        }

        private int IndexOf(string key)
        {
            if (key == null)
            {
                throw new ArgumentNullException(nameof(key));
            }
            for (var index = 0; index < Count; index++)
            {
                var name = _names[index];
                if (ReferenceEquals(name, key) ||
                    (name.Length == key.Length && name.Equals(key, StringComparison.OrdinalIgnoreCase)))
                {
                    return index;
                }
            }
            return -1;
        }

        private void Append(string name, in StringValues value)
        {
            if (Count == _names.Length)
            {
                Array.Resize(ref _names, Count * 2);
                Array.Resize(ref _values, Count * 2);
            }
            _names[Count] = name;
            _values[Count] = value;
            Count++;
        }

        private void Validate(string name, in StringValues value)
        {
            if (!_validates)
            {
                return;
            }
            FieldSyntax.CheckName(name);
            for (var index = 0; index < value.Count; index++)
            {
                FieldSyntax.CheckValue(name, value[index]);
            }
            if (name.Equals(ContentLengthName, StringComparison.OrdinalIgnoreCase) && !ParseLength(value, out _))
            {
                throw new InvalidOperationException($"Invalid Content-Length: \"{value}\". A whole number is expected.");
            }
        }

        private void ThrowIfReadOnly()
        {
            if (IsReadOnly)
            {
                throw new InvalidOperationException("The fields are read-only: the response has already started.");
            }
        }
    }
}
