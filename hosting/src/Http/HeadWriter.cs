using System;
using System.Text;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Http
{
    /// <summary>Hands fields to native, which copies them during the call.</summary>
    internal static unsafe class HeadWriter
    {
        private const int LargestOnStack = 2048;
        private const int MostFieldsOnStack = 48;

        public static Status Send(
            ulong id, int status, string? reason, FieldList fields, ReadOnlySpan<byte> body, BodyFlags flags)
        {
            Measure(fields, out var count, out var length);
            length += reason?.Length ?? 0;
            if (count <= MostFieldsOnStack && length <= LargestOnStack)
            {
                var text = stackalloc byte[length + 1];
                var heads = stackalloc Field[count + 1];
                return Send(id, status, reason, fields, heads, text, body, flags);
            }
            fixed (byte* text = new byte[length + 1])
            fixed (Field* heads = new Field[count + 1])
            {
                return Send(id, status, reason, fields, heads, text, body, flags);
            }
        }

        /// <summary>Rare, so the memory is not worth a pool.</summary>
        public static Status SendTrailers(ulong id, FieldList trailers)
        {
            Measure(trailers, out var count, out var length);
            fixed (byte* text = new byte[length + 1])
            fixed (Field* fields = new Field[count + 1])
            {
                Write(trailers, fields, text);
                return Native.Trailers(id, fields, count);
            }
        }

        private static Status Send(
            ulong id, int status, string? reason, FieldList list, Field* fields, byte* text,
            ReadOnlySpan<byte> body, BodyFlags flags)
        {
            var phrase = default(Slice);
            if (reason != null)
            {
                phrase = new Slice(text, reason.Length);
                text = Copy(reason, text);
            }
            var count = Write(list, fields, text);
            return Native.Start(id, status, phrase, fields, count, body, flags);
        }

        /// <summary>A field with several values is several fields.</summary>
        private static void Measure(FieldList list, out int count, out int length)
        {
            count = 0;
            length = 0;
            for (var index = 0; index < list.Count; index++)
            {
                ref readonly var values = ref list.ValueAt(index);
                for (var value = 0; value < values.Count; value++)
                {
                    count++;
                    length += list.NameAt(index).Length + (values[value]?.Length ?? 0);
                }
            }
        }

        private static int Write(FieldList list, Field* fields, byte* text)
        {
            var count = 0;
            for (var index = 0; index < list.Count; index++)
            {
                ref readonly var values = ref list.ValueAt(index);
                var name = list.NameAt(index);
                for (var number = 0; number < values.Count; number++)
                {
                    var value = values[number] ?? "";
                    ref var field = ref fields[count++];
                    field.NameData = text;
                    field.NameLength = (uint)name.Length;
                    text = Copy(name, text);
                    field.ValueData = text;
                    field.ValueLength = (uint)value.Length;
                    text = Copy(value, text);
                }
            }
            return count;
        }

        /// <summary>The text was found to be ASCII when it was set.</summary>
        private static byte* Copy(string text, byte* target) =>
            target + Encoding.ASCII.GetBytes(text, new Span<byte>(target, text.Length));
    }
}
