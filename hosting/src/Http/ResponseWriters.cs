using System;
using System.IO.Pipelines;
using System.Reflection;
using System.Reflection.Emit;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Makes writers of the framework at hand. From .NET 6 on a writer may tell what it holds, and from .NET 9 on JSON is
    /// written to no other; where this is built there is nothing to override. So what overrides it is made where it is there.
    /// </summary>
    internal static class ResponseWriters
    {
        private static readonly Type _type = Derive();

        public static ResponsePipeWriter Create(ResponseOutput output)
        {
            var writer = (ResponsePipeWriter)Activator.CreateInstance(_type)!;
            writer.Output = output;
            return writer;
        }

        private static Type Derive()
        {
            var ours = typeof(ResponsePipeWriter);
            var tells = typeof(PipeWriter).GetProperty("CanGetUnflushedBytes")?.GetMethod;
            var told = typeof(PipeWriter).GetProperty("UnflushedBytes")?.GetMethod;
            if (tells == null || told == null)
            {
                return ours;
            }
            var type = NewerTypes.Define(ours);
            var yes = Override(type, tells);
            yes.Emit(OpCodes.Ldc_I4_1);
            yes.Emit(OpCodes.Ret);
            var held = Override(type, told);
            held.Emit(OpCodes.Ldarg_0);
            held.Emit(OpCodes.Call, ours.GetProperty(nameof(ResponsePipeWriter.Held))!.GetMethod!);
            held.Emit(OpCodes.Ret);
            return type.CreateType()!;
        }

        private static ILGenerator Override(TypeBuilder type, MethodInfo method) =>
            type.DefineMethod(
                method.Name,
                MethodAttributes.Public | MethodAttributes.Virtual | MethodAttributes.HideBySig | MethodAttributes.SpecialName,
                method.ReturnType,
                Type.EmptyTypes).GetILGenerator();
    }
}
